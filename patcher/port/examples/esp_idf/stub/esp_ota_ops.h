/* SPDX-License-Identifier: Apache-2.0 */
/* esp_ota_ops.h - stands for ESP-IDF's header of this name: what the example calls. */
#ifndef KERF_STUB_ESP_OTA_OPS_H
#define KERF_STUB_ESP_OTA_OPS_H

#include <esp_partition.h>

const esp_partition_t *esp_ota_get_running_partition(void);
const esp_partition_t *esp_ota_get_next_update_partition(const esp_partition_t *start_from);
/* Verifies the image in the partition (signature with secure boot), and boots it from then on. */
esp_err_t esp_ota_set_boot_partition(const esp_partition_t *partition);

#endif
