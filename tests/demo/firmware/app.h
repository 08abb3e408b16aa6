/* SPDX-License-Identifier: Apache-2.0 */
/*
 * app.h - the parts of the demo terminal: a till in a car park that knows tariffs, money, a thermometer and updates.
 */
#ifndef DEMO_APP_H
#define DEMO_APP_H

#include <stddef.h>
#include <stdint.h>

/* amount.c: writes `cents` as "12.34 EUR" to text[0..cap), always ended by 0. */
void amount_print(int64_t cents, const char *currency, char *text, size_t cap);
/* Reads "12.34" as cents, rounded half away from zero. 0: read; -1: not an amount. */
int amount_parse(const char *text, int64_t *cents);

/* tariff.c: cents for `minutes` in `zone` (0 ..), or -1 where there is no such zone. */
int64_t tariff_price(unsigned zone, unsigned minutes);
const char *tariff_zone_name(unsigned zone);
unsigned tariff_zones(void);

/* sensor.c: degrees Celsius from the thermistor's resistance in ohms. */
double sensor_celsius(double ohms);
#if FIRMWARE_RELEASE >= 3
/* Adds a reading; the average of the newest readings, the older the lighter. */
double sensor_smooth(double celsius);
/* Least, mean and greatest of these readings, and how far they scatter; how many there are. */
unsigned sensor_statistics(double *least, double *mean, double *greatest, double *deviation);
#endif

/* events.c: the log in RAM; the newest entries are kept. */
void events_add(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints the entries that match the pattern (^ $ . c* .*); how many did. */
unsigned events_find(const char *pattern);
unsigned events_count(void);

/* clock.c: "2026-09-30 12:00:00" for seconds since 1970, and back; -1: not a time. */
void clock_print(int64_t seconds, char *text, size_t cap);
int64_t clock_parse(const char *text);

/* display.c: fits a UTF-8 text into a line of `columns` characters, centred. 0, or -1 for text that isn't UTF-8. */
int display_line(const char *text, unsigned columns, char *line, size_t cap);

/* calc.c: the value of an expression such as "2*(3+sin(1))". 0, or -1 with *value untouched. */
int calc_value(const char *expression, double *value);

/* update.c: applies what the loader staged with Kerf's patcher; prints what came of it. 0: the new slot is complete. */
int update_run(void);
/* Prints the first bytes of the running firmware's SHA-256. */
void update_self_digest(void);

/* shell.c: runs one command line; 0, or -1 for one that failed. */
int shell_run(const char *line);

#endif
