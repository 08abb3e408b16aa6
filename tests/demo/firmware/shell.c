/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shell.c - the service technician's commands.
 */
#include "board.h"

#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(const char *argument);
};

static int run_amount(const char *argument)
{
    char text[48];
    int64_t cents = 0;
    if (amount_parse(argument, &cents) != 0) {
        return -1;
    }
    amount_print(cents, "EUR", text, sizeof text);
    printf("amount   %s is %s\n", argument, text);
    return 0;
}

static int run_tariff(const char *argument)
{
    unsigned zone = 0;
    unsigned minutes = 0;
    if (sscanf(argument, "%u %u", &zone, &minutes) != 2) {
        return -1;
    }
    const int64_t price = tariff_price(zone, minutes);
    if (price < 0) {
        return -1;
    }
    char text[48];
    amount_print(price, "EUR", text, sizeof text);
    printf("tariff   %u minutes, %s: %s\n", minutes, tariff_zone_name(zone), text);
    return 0;
}

static int run_temperature(const char *argument)
{
    const double celsius = sensor_celsius(strtod(argument, NULL));
#if FIRMWARE_RELEASE >= 3
    printf("sensor   %s ohms: %.2f C, smoothed %.2f C\n", argument, celsius, sensor_smooth(celsius));
#else
    printf("sensor   %s ohms: %.2f C\n", argument, celsius);
#endif
    events_add("temperature %.1f", celsius);
    return 0;
}

static int run_date(const char *argument)
{
    char text[64];
    const int64_t seconds = clock_parse(argument);
    if (seconds < 0) {
        printf("date     %s does not exist\n", argument);
        return 0;
    }
    clock_print(seconds, text, sizeof text);
    printf("date     %s\n", text);
    return 0;
}

static int run_show(const char *argument)
{
    char line[128];
    if (display_line(argument, 20, line, sizeof line) != 0) {
        return -1;
    }
    printf("display  [%s]\n", line);
    return 0;
}

static int run_find(const char *argument)
{
    const unsigned found = events_find(argument);
    printf("events   %u of %u\n", found, events_count());
    return 0;
}

static int run_image(const char *argument)
{
    (void)argument;
    update_self_digest();
    return 0;
}

static int run_update(const char *argument)
{
    (void)argument;
    return update_run();
}

static int run_calc(const char *argument)
{
    double value = 0;
    if (calc_value(argument, &value) != 0) {
        return -1;
    }
    printf("calc     %s = %.9g\n", argument, value);
    return 0;
}

#if FIRMWARE_RELEASE >= 3
static int run_statistics(const char *argument)
{
    double least = 0;
    double mean = 0;
    double greatest = 0;
    double deviation = 0;
    (void)argument;
    const unsigned used = sensor_statistics(&least, &mean, &greatest, &deviation);
    if (used == 0) {
        printf("stats    no readings yet\n");
        return 0;
    }
    printf("stats    %u readings: %.2f / %.2f / %.2f C, deviation %.3f\n", used, least, mean, greatest, deviation);
    return 0;
}
#endif

static const struct command commands[] = {
    {"amount", run_amount},
    {"tariff", run_tariff},
    {"temperature", run_temperature},
    {"date", run_date},
    {"show", run_show},
    {"find", run_find},
    {"image", run_image},
    {"update", run_update},
    {"calc", run_calc},
#if FIRMWARE_RELEASE >= 3
    {"statistics", run_statistics},
#endif
};

int shell_run(const char *line)
{
    const size_t len = strcspn(line, " ");
    const char *argument = line[len] == ' ' ? line + len + 1 : line + len;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strlen(commands[i].name) == len && strncmp(commands[i].name, line, len) == 0) {
            const int result = commands[i].run(argument);
            events_add("%s: %s", commands[i].name, result == 0 ? "ok" : "failed");
            return result;
        }
    }
    printf("%.*s: no such command\n", (int)len, line);
    return -1;
}
