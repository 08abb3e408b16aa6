/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tariff.c - what parking costs. Release 2 brings the new prices of the inner zones and a zone more.
 */
#include "board.h"

#include "app.h"

/* Cents for each started quarter of an hour of the first six hours; from then on the last price. */
struct zone {
    const char *name;
    uint16_t day_max; /* cents */
    uint16_t quarter[24];
};

static const struct zone zones[] = {
#if FIRMWARE_RELEASE >= 2
    {"Harbour", 1620, {36, 42, 41, 35, 41, 35, 33, 31, 30, 35, 34, 32, 29, 26, 26, 27, 28, 26, 28, 23, 17, 21, 22, 22}},
#else
    {"Harbour", 1500, {30, 36, 35, 29, 35, 29, 27, 25, 24, 29, 28, 26, 23, 20, 20, 21, 22, 20, 22, 17, 11, 15, 16, 16}},
#endif
#if FIRMWARE_RELEASE >= 2
    {"Old Town", 1720, {52, 49, 42, 48, 44, 40, 45, 44, 40, 37, 40, 35,
                        39, 38, 31, 28, 36, 26, 31, 34, 25, 27, 29, 30}},
#else
    {"Old Town", 1600, {46, 43, 36, 42, 38, 34, 39, 38, 34, 31, 34, 29,
                        33, 32, 25, 22, 30, 20, 25, 28, 19, 21, 23, 24}},
#endif
#if FIRMWARE_RELEASE >= 2
    {"Station", 1820, {54, 51, 54, 52, 52, 47, 48, 44, 44, 44, 48, 44, 43, 47, 37, 35, 34, 35, 36, 36, 35, 30, 33, 37}},
#else
    {"Station", 1700, {48, 45, 48, 46, 46, 41, 42, 38, 38, 38, 42, 38, 37, 41, 31, 29, 28, 29, 30, 30, 29, 24, 27, 31}},
#endif
#if FIRMWARE_RELEASE >= 2
    {"Market", 1920, {63, 66, 62, 55, 63, 60, 56, 54, 52, 54, 55, 50, 48, 52, 47, 43, 41, 43, 44, 43, 45, 36, 42, 38}},
#else
    {"Market", 1800, {57, 60, 56, 49, 57, 54, 50, 48, 46, 48, 49, 44, 42, 46, 41, 37, 35, 37, 38, 37, 39, 30, 36, 32}},
#endif
    {"Museum", 1900, {60, 61, 57, 65, 57, 58, 53, 58, 59, 58, 51, 47, 46, 50, 46, 48, 47, 46, 41, 48, 42, 44, 37, 41}},
    {"University", 2000, {70, 66, 67, 72, 65, 61, 63, 65, 58, 57, 55, 64,
                          61, 62, 52, 55, 52, 49, 48, 46, 54, 48, 45, 45}},
    {"Stadium", 2100, {75, 81, 78, 69, 69, 67, 68, 71, 73, 67, 63, 61, 68, 69, 59, 59, 62, 57, 61, 58, 61, 61, 55, 51}},
    {"Hospital", 2200, {85, 87, 81, 80, 77, 75, 78, 82, 77, 78, 75, 77,
                        68, 75, 69, 72, 70, 72, 68, 69, 62, 63, 59, 64}},
    {"Castle", 2300, {87, 85, 91, 87, 92, 88, 88, 79, 80, 82, 78, 85, 83, 77, 76, 79, 78, 73, 78, 71, 76, 71, 68, 71}},
    {"Fair", 2400, {102, 95, 95, 95, 94, 89, 88, 87, 89, 90, 89, 85, 83, 87, 81, 85, 84, 77, 77, 81, 76, 74, 76, 75}},
    {"Airport P1", 2500, {110, 102, 103, 104, 99, 105, 104, 94, 100, 98, 97, 96,
                          92,  89,  88,  92,  85, 84,  88,  87, 83,  81, 79, 78}},
    {"Airport P2", 2600, {109, 106, 115, 108, 107, 107, 105, 109, 105, 103, 107, 98,
                          101, 96,  103, 100, 100, 96,  97,  88,  97,  86,  86,  84}},
#if FIRMWARE_RELEASE >= 2
    {"Central Park", 2700, {121, 114, 115, 116, 116, 119, 108, 117, 108, 114, 112, 107,
                            111, 106, 107, 108, 100, 101, 100, 99,  99,  101, 95,  96}},
#endif
};

#define ZONE_COUNT (sizeof zones / sizeof zones[0])

unsigned tariff_zones(void)
{
    return (unsigned)ZONE_COUNT;
}

const char *tariff_zone_name(unsigned zone)
{
    return zone < ZONE_COUNT ? zones[zone].name : "?";
}

int64_t tariff_price(unsigned zone, unsigned minutes)
{
    if (zone >= ZONE_COUNT) {
        return -1;
    }
    const struct zone *z = &zones[zone];
    int64_t days = minutes / (24 * 60);
    const unsigned quarters = (minutes % (24 * 60) + 14) / 15;
    int64_t price = 0;
    for (unsigned i = 0; i < quarters; i++) {
        price += z->quarter[i < 24 ? i : 23];
    }
    if (price > z->day_max) {
        price = z->day_max;
    }
    return days * z->day_max + price;
}
