/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kerf_esp.h - updates by delta under ESP-IDF: the running OTA partition is the old image, the next one gets the new, a
 * data partition keeps the journal:
 *
 *     kerf, data, 0x40, , 32K        (partitions.csv; 32K: a workspace of 8 KiB twice, in sectors of 4 KiB, with room)
 *
 * Deltas are made between the application's .bin files. With flash encryption the functions of esp_partition encrypt
 * and decrypt: old and new are plain text here, and the deltas fit all devices.
 */
#ifndef KERF_PORT_EXAMPLES_KERF_ESP_H
#define KERF_PORT_EXAMPLES_KERF_ESP_H

#include "common/sha256.h"
#include "patcher/patcher.h"

#include <esp_partition.h>

#define KERF_ESP_SECTOR 4096u
#define KERF_ESP_PAGE 256u
#define KERF_ESP_UNIT                                                                                                  \
    32u /* what encrypted partitions are written in; 16 before the ESP32-S2, for which 32 is right, too */

struct kerf_esp {
    struct kerf_port port; /* for kerf_updater_begin(); ctx is this struct, which is not to be moved */
    const esp_partition_t *running, *next, *spare;
    struct kerf_sha256 sha; /* or mbedtls_sha256 with the hardware behind it */
};

/* Finds the partitions and fills in the port. `spare`: label of the journal's partition. KERF_ERR_FLASH: one is missing. */
KERF_MUST_USE kerf_err kerf_esp_open(struct kerf_esp *esp, const char *spare);

/*
 * After KERF_END: the new image boots next. ESP-IDF verifies it once more before, so that a partition that is half
 * written never boots. With CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE it has one boot to confirm itself in
 * (esp_ota_mark_app_valid_cancel_rollback()).
 */
KERF_MUST_USE kerf_err kerf_esp_activate(struct kerf_esp *esp);

#endif
