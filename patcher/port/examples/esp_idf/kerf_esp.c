/* SPDX-License-Identifier: Apache-2.0 */
#include "patcher/port/examples/esp_idf/kerf_esp.h"

#include <esp_ota_ops.h>
#include <string.h>

static kerf_err done(esp_err_t status)
{
    return status == ESP_OK ? KERF_OK : KERF_ERR_FLASH;
}

static kerf_err read_old(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_esp *esp = ctx;

    return done(esp_partition_read(esp->running, pos, buf, len));
}

static kerf_err read_new(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_esp *esp = ctx;

    return done(esp_partition_read(esp->next, pos, buf, len));
}

static kerf_err erase_new(void *ctx, kerf_pos pos)
{
    const struct kerf_esp *esp = ctx;

    return done(esp_partition_erase_range(esp->next, pos, KERF_ESP_SECTOR));
}

/* Whole units, and a last one that is filled up with what erased flash holds. */
static kerf_err program(const esp_partition_t *partition, size_t pos, const uint8_t *buf, size_t len)
{
    uint8_t last[KERF_ESP_UNIT];
    size_t whole = len - len % KERF_ESP_UNIT;
    kerf_err err = whole == 0 ? KERF_OK : done(esp_partition_write(partition, pos, buf, whole));

    if (err == KERF_OK && whole < len) {
        memset(last, 0xff, sizeof last);
        memcpy(last, buf + whole, len - whole);
        err = done(esp_partition_write(partition, pos + whole, last, sizeof last));
    }
    return err;
}

static kerf_err write_new(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    const struct kerf_esp *esp = ctx;

    return program(esp->next, pos, buf, len);
}

static kerf_err read_spare(void *ctx, kerf_pos pos, uint8_t *buf, size_t len)
{
    const struct kerf_esp *esp = ctx;

    return done(esp_partition_read(esp->spare, pos, buf, len));
}

static kerf_err erase_spare(void *ctx, kerf_pos pos)
{
    const struct kerf_esp *esp = ctx;

    return done(esp_partition_erase_range(esp->spare, pos, KERF_ESP_SECTOR));
}

static kerf_err write_spare(void *ctx, kerf_pos pos, const uint8_t *buf, size_t len)
{
    const struct kerf_esp *esp = ctx;

    return program(esp->spare, pos, buf, len);
}

static kerf_err hash(void *ctx, enum kerf_hash_op op, const uint8_t *data, size_t len,
                     struct kerf_sha256_digest *digest)
{
    return kerf_sha256_hook(&((struct kerf_esp *)ctx)->sha, op, data, len, digest);
}

kerf_err kerf_esp_open(struct kerf_esp *esp, const char *spare)
{
    *esp = (struct kerf_esp){
        .running = esp_ota_get_running_partition(),
        .next = esp_ota_get_next_update_partition(NULL),
        .spare = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, spare),
    };
    if (esp->running == NULL || esp->next == NULL || esp->spare == NULL) {
        return KERF_ERR_FLASH;
    }
    esp->port = (struct kerf_port){
        .io.ctx = esp,
        .slot_size = esp->next->size,
        .slot.sector_size = KERF_ESP_SECTOR,
        .page_size = KERF_ESP_PAGE,
        .io.read_old = read_old,
        .io.read_new = read_new,
        .slot.erase = erase_new,
        .slot.write = write_new,
        .hash = hash,
        .journal_size = esp->spare->size,
        .spare_size = esp->spare->size,
        .spare.sector_size = KERF_ESP_SECTOR,
        .spare_unit = KERF_ESP_UNIT,
        .interval = 8 * KERF_ESP_SECTOR,
        .read_spare = read_spare,
        .spare.erase = erase_spare,
        .spare.write = write_spare,
    };
    return KERF_OK;
}

kerf_err kerf_esp_activate(struct kerf_esp *esp)
{
    return done(esp_ota_set_boot_partition(esp->next));
}
