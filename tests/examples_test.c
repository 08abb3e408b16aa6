/* SPDX-License-Identifier: Apache-2.0 */
/* The examples of docs/PORTING.md, on a strict model of flash: whole updates, and power cuts in them. */
#include "patcher/port/examples/esp_idf/kerf_esp.h"
#include "patcher/port/examples/mcuboot/kerf_mcuboot.h"
#include "patcher/port/examples/updater.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bootutil_public.h>
#include <cmocka.h>
#include <esp_ota_ops.h>
#include <flash_map_backend.h>

#include "common/bytes.h"
#include "diffgen/diffgen.h"
#include "tests/flash.h"
#include "tests/pack.h"

#define SECTOR 4096u
#define UNIT 32u /* esp; mcuboot is given 8 */
#define SLOT (32 * SECTOR)
#define SPARE (8 * SECTOR)
#define TRAILER SECTOR
#define BODY 90000u
#define IMAGE_MAX (BODY + 4096u)

/* One flash: primary (or running), secondary (or next), spare. */
static struct flash flash;
static unsigned kicks, pending;
static const esp_partition_t *boot_partition;

/* --- What MCUboot's and ESP-IDF's functions do here. --- */

static const struct flash_area areas[] = {
    {1, 0, 0, 0, SLOT},
    {2, 0, 0, SLOT, SLOT},
    {3, 0, 0, 2 * SLOT, SPARE},
};

int flash_area_open(uint8_t id, const struct flash_area **area)
{
    *area = id >= 1 && id <= 3 ? &areas[id - 1] : NULL;
    return *area == NULL;
}

void flash_area_close(const struct flash_area *area)
{
    assert_non_null(area);
}

int flash_area_read(const struct flash_area *area, uint32_t off, void *dst, uint32_t len)
{
    assert_true(off <= area->fa_size && len <= area->fa_size - off);
    flash_read(&flash, area->fa_off + off, dst, len);
    return 0;
}

int flash_area_write(const struct flash_area *area, uint32_t off, const void *src, uint32_t len)
{
    assert_true(area->fa_id != 1); /* what runs is never written to */
    assert_true(off <= area->fa_size && len <= area->fa_size - off && len % flash.unit == 0);
    flash_program(&flash, area->fa_off + off, src, len);
    return 0;
}

int flash_area_erase(const struct flash_area *area, uint32_t off, uint32_t len)
{
    assert_true(area->fa_id != 1 && off < area->fa_size && len == SECTOR);
    flash_erase(&flash, area->fa_off + off);
    return 0;
}

int boot_set_pending(int permanent)
{
    assert_int_equal(permanent, 0);
    pending++;
    return 0;
}

static const esp_partition_t partitions[] = {
    {ESP_PARTITION_TYPE_APP, 0, SLOT, SECTOR, "ota_0", true},
    {ESP_PARTITION_TYPE_APP, SLOT, SLOT, SECTOR, "ota_1", true},
    {ESP_PARTITION_TYPE_DATA, 2 * SLOT, SPARE, SECTOR, "kerf", true},
};

const esp_partition_t *esp_ota_get_running_partition(void)
{
    return &partitions[0];
}

const esp_partition_t *esp_ota_get_next_update_partition(const esp_partition_t *start_from)
{
    assert_null(start_from);
    return &partitions[1];
}

const esp_partition_t *esp_partition_find_first(esp_partition_type_t type, esp_partition_subtype_t subtype,
                                                const char *label)
{
    assert_int_equal(type, ESP_PARTITION_TYPE_DATA);
    assert_int_equal(subtype, ESP_PARTITION_SUBTYPE_ANY);
    return strcmp(label, partitions[2].label) == 0 ? &partitions[2] : NULL;
}

esp_err_t esp_partition_read(const esp_partition_t *partition, size_t offset, void *dst, size_t size)
{
    assert_true(offset <= partition->size && size <= partition->size - offset);
    flash_read(&flash, partition->address + (uint32_t)offset, dst, size);
    return ESP_OK;
}

esp_err_t esp_partition_write(const esp_partition_t *partition, size_t offset, const void *src, size_t size)
{
    assert_true(partition != &partitions[0]);
    /* With flash encryption. */
    assert_true(offset % UNIT == 0 && size % UNIT == 0);
    assert_true(offset <= partition->size && size <= partition->size - offset);
    flash_program(&flash, partition->address + (uint32_t)offset, src, size);
    return ESP_OK;
}

esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t offset, size_t size)
{
    assert_true(partition != &partitions[0] && offset < partition->size && size == SECTOR);
    flash_erase(&flash, partition->address + (uint32_t)offset);
    return ESP_OK;
}

esp_err_t esp_ota_set_boot_partition(const esp_partition_t *partition)
{
    boot_partition = partition;
    return ESP_OK;
}

/* --- Images and deltas --- */

struct image {
    uint8_t bytes[IMAGE_MAX];
    uint32_t len;
};

static struct image old_image, new_image;
static uint8_t *delta;
static size_t delta_len;
static struct kerf_patcher_expect expect;

/* Header, body, protected TLVs, TLVs with a digest, as imgtool signs it. */
static void make_image(struct image *image, uint32_t version)
{
    uint8_t *p = image->bytes;
    struct kerf_sha256_digest digest;

    memset(image, 0, sizeof *image);
    kerf_store_le32(p, 0x96f3b83du);
    kerf_store_le16(p + 8, 512);
    kerf_store_le16(p + 10, 12);
    kerf_store_le32(p + 12, BODY);
    p[20] = (uint8_t)version;
    test_noise(p + 512, BODY, 1);
    for (uint32_t i = version * 1000; i + 24 < BODY; i += 700) {
        test_noise(p + 512 + i, 24, version * 1000 + i);
    }
    p += 512 + BODY;
    memcpy(p, "\x08\x69\x0c\x00\x50\x00\x04\x00\x01\x00\x00\x00", 12);
    p += 12;
    test_digest(image->bytes, 512 + BODY + 12, &digest);
    memcpy(p, "\x07\x69\x28\x00\x10\x00\x20\x00", 8);
    memcpy(p + 8, digest.b, sizeof digest.b);
    image->len = 512 + BODY + 12 + 40;
}

static int set_up(void **state)
{
    const struct kerf_diff_options options = {.level = 1, .codec = -1, .ram = 6144};
    struct kerf_diff_report report;

    (void)state;
    make_image(&old_image, 1);
    make_image(&new_image, 2);
    if (kerf_diff_create(old_image.bytes, old_image.len, new_image.bytes, new_image.len, &options, &delta, &delta_len,
                         &report) != KERF_OK) {
        return -1;
    }
    expect = (struct kerf_patcher_expect){true, true, report.chunk0_digest, report.new_digest};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(delta);
    return 0;
}

/* --- A device: begins or goes on, is fed, and says how it ended. --- */

static jmp_buf power;
static uint64_t ops, cut_at;
static enum flash_cut cut_how;

/* Called before each operation. */
static void count(void *ctx)
{
    (void)ctx;
    if (ops++ == cut_at) {
        flash_cut(&flash, cut_how);
        longjmp(power, 1);
    }
}

static void kick(void)
{
    kicks++;
}

/* Feeds from *from on; *from becomes where the device wanted to go on. */
static kerf_err session(const struct kerf_port *port, struct kerf_updater *u, kerf_pos *from)
{
    static _Alignas(KERF_WORKSPACE_ALIGN) uint8_t workspace[8192];
    kerf_err err = kerf_updater_begin(u, port, workspace, sizeof workspace, &expect, kick, from);

    for (size_t pos = *from; err == KERF_OK || err == KERF_MORE_INPUT; pos += 100) {
        if (pos >= delta_len) {
            return KERF_ERR_TRUNCATED;
        }
        err = kerf_updater_feed(u, delta + pos, delta_len - pos < 100 ? delta_len - pos : 100);
    }
    return err;
}

static kerf_err mcuboot_session(kerf_pos *from)
{
    static const struct kerf_mcuboot_map map = {1, 2, 3, SECTOR, 8, TRAILER};
    static struct kerf_mcuboot m;
    static struct kerf_updater u;
    uint32_t size = 0;
    kerf_err err = kerf_mcuboot_open(&m, &map);

    assert_true(err != KERF_OK || kerf_port_fits(&m.port));
    if (err == KERF_OK) {
        err = kerf_mcuboot_image_size(&m, &size);
    }
    assert_int_equal(err, KERF_OK);
    assert_int_equal(size, old_image.len);
    err = kerf_mcuboot_prepare(&m);
    if (err == KERF_OK) {
        err = session(&m.port, &u, from);
    }
    if (err == KERF_END) {
        assert_int_equal(kerf_mcuboot_activate(&m), KERF_OK);
        assert_int_equal(kerf_updater_forget(&u), KERF_OK);
    }
    kerf_mcuboot_close(&m);
    return err;
}

static kerf_err esp_session(kerf_pos *from)
{
    static struct kerf_esp esp;
    static struct kerf_updater u;
    kerf_err err = kerf_esp_open(&esp, "kerf");

    assert_true(err != KERF_OK || kerf_port_fits(&esp.port));
    assert_int_equal(err, KERF_OK);
    err = session(&esp.port, &u, from);
    if (err == KERF_END) {
        assert_int_equal(kerf_esp_activate(&esp), KERF_OK);
        assert_int_equal(kerf_updater_forget(&u), KERF_OK);
    }
    return err;
}

/* A flash that was used before: the old image in its slot, the boot loader's bytes in its trailer. */
static void new_flash(uint32_t unit)
{
    static const uint8_t confirmed[16] = {1};

    flash_init(&flash, 2 * SLOT + SPARE, SECTOR, unit, 7);
    flash_preset(&flash, 0, old_image.bytes, old_image.len);
    flash_preset(&flash, SLOT - TRAILER, confirmed, sizeof confirmed);
    flash.before = count;
    ops = 0;
    cut_at = UINT64_MAX;
    kicks = pending = 0;
    boot_partition = NULL;
}

static void check_new(void)
{
    uint8_t *found = malloc(new_image.len);

    assert_non_null(found);
    flash_read(&flash, SLOT, found, new_image.len);
    assert_memory_equal(found, new_image.bytes, new_image.len);
    free(found);
}

/* --- Tests --- */

static void an_update_goes_through_under_mcuboot(void **state)
{
    kerf_pos from = 1;
    uint8_t trailer[TRAILER];

    (void)state;
    new_flash(8);
    assert_int_equal(mcuboot_session(&from), KERF_END);
    check_new();
    assert_int_equal(from, 0);
    assert_int_equal(pending, 1);
    assert_true(kicks > new_image.len / 4096);
    flash_read(&flash, 2 * SLOT - TRAILER, trailer, sizeof trailer);
    for (size_t i = 0; i < sizeof trailer; i++) {
        assert_int_equal(trailer[i], 0xff);
    }
    flash_free(&flash);
}

static void an_update_goes_through_under_esp_idf(void **state)
{
    kerf_pos from;

    (void)state;
    new_flash(UNIT);
    assert_int_equal(esp_session(&from), KERF_END);
    check_new();
    assert_ptr_equal(boot_partition, &partitions[1]);
    flash_free(&flash);
}

static void what_the_boot_loader_writes_is_no_part_of_old(void **state)
{
    static const uint8_t swapped[32] = {0x77, 0xc2, 0x95, 0xf3};
    kerf_pos from;

    (void)state;
    new_flash(8);
    flash_preset(&flash, SLOT - 32, swapped, sizeof swapped);
    assert_int_equal(mcuboot_session(&from), KERF_END);
    check_new();
    flash_free(&flash);
}

static void a_changed_byte_inside_old_is_refused_before_anything_is_erased(void **state)
{
    kerf_pos from;
    uint64_t before;

    (void)state;
    new_flash(8);
    /* The trailer is erased in any case. */
    flash_erase(&flash, 2 * SLOT - TRAILER);
    before = ops;
    flash_flip(&flash, 8 * 5000);
    assert_int_equal(mcuboot_session(&from), KERF_ERR_SOURCE);
    assert_int_equal(ops, before);
    assert_int_equal(pending, 0);
    flash_free(&flash);
}

/* Cuts operation `at`, boots again, and finishes. False: there was no such operation. */
static bool cut_and_finish(kerf_err (*run)(kerf_pos *from), uint32_t unit, uint64_t at, enum flash_cut how,
                           kerf_pos *from)
{
    new_flash(unit);
    cut_at = at;
    cut_how = how;
    if (setjmp(power) == 0) {
        kerf_err err = run(from);

        assert_int_equal(err, KERF_END);
        flash_free(&flash);
        return false;
    }
    cut_at = UINT64_MAX;
    assert_int_equal(run(from), KERF_END);
    check_new();
    flash_free(&flash);
    return true;
}

static void cut_everywhere(kerf_err (*run)(kerf_pos *from), uint32_t unit)
{
    kerf_pos last = 0;
    unsigned cuts = 0;
    unsigned from_start = 0;

    for (uint64_t at = 0;; at += 5) {
        kerf_pos from = 0;

        if (!cut_and_finish(run, unit, at, (enum flash_cut)(cuts % FLASH_CUT_COUNT), &from)) {
            break;
        }
        cuts++;
        from_start += from == 0;
        last = from > last ? from : last;
    }
    print_message("%u cuts, %u times from the beginning, else from byte %u of %u at most\n", cuts, from_start,
                  (unsigned)last, (unsigned)delta_len);
    assert_true(cuts > 50 && from_start < cuts / 2);
    assert_true(last > 0 && last <= delta_len);
}

static void a_cut_at_any_operation_costs_time_only_under_mcuboot(void **state)
{
    (void)state;
    cut_everywhere(mcuboot_session, 8);
}

static void a_cut_at_any_operation_costs_time_only_under_esp_idf(void **state)
{
    (void)state;
    cut_everywhere(esp_session, UNIT);
}

static void what_is_no_image_is_said_to_be_none(void **state)
{
    static const struct kerf_mcuboot_map map = {1, 2, 3, SECTOR, 8, TRAILER};
    static const uint32_t damage[][2] = {{0, 1}, {8, 16}, {15, 0xff}, {13, 0x60}};
    struct kerf_mcuboot m;
    uint32_t size;

    (void)state;
    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        struct image *bad = malloc(sizeof *bad);

        assert_non_null(bad);
        *bad = old_image;
        bad->bytes[damage[i][0]] = (uint8_t)damage[i][1];
        if (i == 1) {
            bad->bytes[9] = 0;
        }
        new_flash(8);
        flash_preset(&flash, 0, bad->bytes, bad->len);
        assert_int_equal(kerf_mcuboot_open(&m, &map), KERF_OK);
        if (i < 3) {
            assert_int_equal(kerf_mcuboot_image_size(&m, &size), KERF_ERR_SOURCE);
        } else { /* a longer body than there is, within the slot: its TLVs are not where they should be */
            assert_int_equal(kerf_mcuboot_image_size(&m, &size), KERF_OK);
            assert_int_not_equal(size, old_image.len);
        }
        flash_free(&flash);
        free(bad);
    }
    assert_int_equal(kerf_mcuboot_open(&m, &(struct kerf_mcuboot_map){1, 2, 9, SECTOR, 8, TRAILER}), KERF_ERR_FLASH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_goes_through_under_mcuboot),
        cmocka_unit_test(an_update_goes_through_under_esp_idf),
        cmocka_unit_test(what_the_boot_loader_writes_is_no_part_of_old),
        cmocka_unit_test(a_changed_byte_inside_old_is_refused_before_anything_is_erased),
        cmocka_unit_test(a_cut_at_any_operation_costs_time_only_under_mcuboot),
        cmocka_unit_test(a_cut_at_any_operation_costs_time_only_under_esp_idf),
        cmocka_unit_test(what_is_no_image_is_said_to_be_none),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
