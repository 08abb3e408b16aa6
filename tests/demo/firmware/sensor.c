/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sensor.c - the thermometer. Releases 1 and 2 use the beta equation; release 3 Steinhart and Hart's, and smooths.
 */
#include "board.h"

#include "app.h"

#include <math.h>

#if FIRMWARE_RELEASE >= 3
#define READINGS 16

static double readings[READINGS];
static unsigned count;

unsigned sensor_statistics(double *least, double *mean, double *greatest, double *deviation)
{
    const unsigned used = count < READINGS ? count : READINGS;
    double sum = 0;
    double squares = 0;
    *least = HUGE_VAL;
    *greatest = -HUGE_VAL;
    for (unsigned i = 0; i < used; i++) {
        *least = fmin(*least, readings[i]);
        *greatest = fmax(*greatest, readings[i]);
        sum += readings[i];
        squares += readings[i] * readings[i];
    }
    *mean = used > 0 ? sum / used : 0;
    *deviation = used > 1 ? sqrt(fmax(0, (squares - sum * *mean) / (used - 1))) : 0;
    return used;
}

double sensor_smooth(double celsius)
{
    readings[count++ % READINGS] = celsius;
    const unsigned used = count < READINGS ? count : READINGS;
    double sum = 0;
    double weights = 0;
    for (unsigned i = 0; i < used; i++) {
        const double weight = exp(-(double)i / 4.0);
        sum += weight * readings[(count - 1 - i) % READINGS];
        weights += weight;
    }
    return sum / weights;
}

double sensor_celsius(double ohms)
{
    /* "Calibration curves for thermistors", Deep-Sea Research 15 (1968); the coefficients of a common 10k part. */
    const double l = log(ohms);
    return 1.0 / (1.129241e-3 + 2.341077e-4 * l + 8.775468e-8 * l * l * l) - 273.15;
}
#else
double sensor_celsius(double ohms)
{
    return 1.0 / (1.0 / 298.15 + log(ohms / 10000.0) / 3950.0) - 273.15;
}
#endif
