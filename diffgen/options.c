/* SPDX-License-Identifier: Apache-2.0 */
/* Options that more than one command takes. */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/host/cli.h"
#include "diffgen/image.h"
#include "diffgen/kerf_diff.h"

const struct kerf_diff_profile kerf_diff_profiles[] = {
    {"tiny", 2048},     {"small", 4096}, {"default", KERF_DIFF_RAM_DEFAULT}, {"medium", 16384}, {"large", 65536},
    {"host", 1u << 20}, {NULL, 0},
};

/* --profile auto. Bytes of both images up to which a microcontroller is taken for the device, and a small Linux machine: */
#define AUTO_DEFAULT_LEN (1u << 20)
#define AUTO_LARGE_LEN (32u << 20)
/* Mixed decisions, 8 a byte, that a native full payload may take; above, .xz applies some ten times as fast. */
#define AUTO_DECISIONS (1u << 27)
#define DECISIONS_PER_BYTE 8u

static int parse_ram(struct kerf_diff_options *diff, const char *text)
{
    for (size_t i = 0; kerf_diff_profiles[i].name != NULL; i++) {
        if (strcmp(text, kerf_diff_profiles[i].name) == 0) {
            diff->ram = kerf_diff_profiles[i].ram;
            return -1;
        }
    }
    if (kerf_cli_parse_size(text, &diff->ram) != KERF_OK) {
        return kerf_cli_usage("--ram takes a size such as 8K, or the name of a profile, not '%s'", text);
    }
    if (diff->ram < KERF_DIFF_RAM_MIN) {
        return kerf_cli_fail(KERF_EXIT_LIMIT, "--ram %s is too little for any decoder: give at least %uK", text,
                             KERF_DIFF_RAM_MIN / 1024);
    }
    return -1;
}

int kerf_diff_parse_profile(struct kerf_diff_options *diff, bool *by_work, const char *text)
{
    *by_work = strcmp(text, "auto") == 0;
    for (size_t i = 0; kerf_diff_profiles[i].name != NULL; i++) {
        if (strcmp(text, kerf_diff_profiles[i].name) == 0) {
            diff->ram = kerf_diff_profiles[i].ram;
            return -1;
        }
    }
    return *by_work ? -1 : kerf_cli_usage("--profile takes auto, or the name of a profile, not '%s'", text);
}

void kerf_diff_profile_by_work(struct kerf_diff_options *diff, uint64_t old_len, uint64_t new_len)
{
    uint64_t both = old_len + new_len;

    diff->ram = both <= AUTO_DEFAULT_LEN ? KERF_DIFF_RAM_DEFAULT : both <= AUTO_LARGE_LEN ? 65536 : 1u << 20;
    if (old_len == 0 && diff->codec < 0 && new_len > AUTO_DECISIONS / DECISIONS_PER_BYTE) {
        diff->codec = KERF_CODEC_LZMA2;
    }
}

static int parse_memory(struct kerf_diff_options *diff, const char *text)
{
    if (kerf_cli_parse_size(text, &diff->memory) != KERF_OK || diff->memory == 0) {
        return kerf_cli_usage("--memory takes a size such as 256M, not '%s'", text);
    }
    return -1;
}

static int parse_jobs(struct kerf_diff_options *diff, const char *text)
{
    char *end;
    unsigned long jobs = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || jobs < 1 || jobs > KERF_DIFF_JOBS_MAX) {
        return kerf_cli_usage("--jobs takes a number of threads, 1 to %u, not '%s'", KERF_DIFF_JOBS_MAX, text);
    }
    diff->jobs = (unsigned)jobs;
    return -1;
}

size_t kerf_diff_image_max(const struct kerf_diff_options *diff)
{
    return diff->memory != 0 && diff->memory < KERF_DIFF_IMAGE_MAX ? (size_t)diff->memory : KERF_DIFF_IMAGE_MAX;
}

unsigned kerf_diff_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return cores < 1 ? 1 : cores > (long)KERF_DIFF_JOBS_MAX ? KERF_DIFF_JOBS_MAX : (unsigned)cores;
}

void kerf_diff_explain_memory(struct kerf_why *why, const struct kerf_diff_options *diff,
                              const struct kerf_diff_report *report)
{
    kerf_why_set(why, "--memory: %" PRIu64 " bytes are too few for these images: give at least %" PRIu64 "M",
                 diff->memory, (report->memory_needed + (1u << 20) - 1) >> 20);
}

static int parse_isa(struct kerf_diff_options *diff, const char *text)
{
    for (unsigned isa = 0; kerf_isa_name(isa) != NULL; isa++) {
        if (strcmp(text, kerf_isa_name(isa)) == 0) {
            diff->isa = text;
            return -1;
        }
    }
    return kerf_cli_usage("--isa: no instruction set '%s'", text);
}

static int parse_base(struct kerf_diff_options *diff, const char *text)
{
    char *end;

    errno = 0;
    diff->base = strtoull(text, &end, 16);
    diff->base_known = true;
    /* strtoull would take signs and spaces. */
    if (strspn(text, "0123456789abcdefABCDEFxX") != strlen(text) || end == text || *end != '\0' || errno != 0) {
        return kerf_cli_usage("--base takes an address in hexadecimal such as 0x08000000, not '%s'", text);
    }
    return -1;
}

/* One NAME=NUMBER of --in-place, at `text`; *end is behind it. */
static bool take_in_place(struct kerf_diff_options *diff, const char *text, const char **end)
{
    static const char *const names[] = {"sector=", "scratch=", "group=", "slot="};
    uint64_t v;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t len = strlen(names[i]);
        char number[32] = "";

        if (strncmp(text, names[i], len) != 0) {
            continue;
        }
        *end = text + strcspn(text, ",");
        if ((size_t)(*end - text) - len >= sizeof number) {
            return false;
        }
        memcpy(number, text + len, (size_t)(*end - text) - len);
        if (kerf_cli_parse_size(number, &v) != KERF_OK) {
            return false;
        }
        switch (i) {
        case 0:
            diff->sector = v <= 1u << 24 ? (uint32_t)v : 0;
            return diff->sector >= 16 && (v & (v - 1)) == 0;
        case 1:
            diff->scratch = (uint16_t)v;
            return v >= 1 && v <= UINT16_MAX;
        case 2:
            diff->group = (uint16_t)v;
            return v >= 1 && v <= UINT16_MAX;
        default:
            diff->slot = v;
            return v >= 1;
        }
    }
    return false;
}

static int parse_in_place(struct kerf_diff_options *diff, const char *text)
{
    const char *at = text;
    bool good = true;

    diff->in_place = true;
    while (good) {
        good = take_in_place(diff, at, &at);
        if (!good || *at == '\0') {
            break;
        }
        at++;
    }
    if (!good || diff->sector == 0 || diff->scratch == 0 || diff->group > diff->scratch) {
        return kerf_cli_usage(
            "--in-place takes sector=BYTES,scratch=SECTORS[,group=SECTORS][,slot=BYTES], the sector a "
            "power of two and the group at most the scratch, not '%s'",
            text);
    }
    return -1;
}

int kerf_diff_take(struct kerf_diff_options *diff, int option, const char *text)
{
    switch (option) {
    case 'r':
        return parse_ram(diff, text);
    case KERF_DIFF_OPT_ISA:
        return parse_isa(diff, text);
    case KERF_DIFF_OPT_BASE:
        return parse_base(diff, text);
    case KERF_DIFF_OPT_IN_PLACE:
        return parse_in_place(diff, text);
    case KERF_DIFF_OPT_NO_NEW:
        diff->no_new = true;
        return -1;
    case KERF_DIFF_OPT_MEMORY:
        return parse_memory(diff, text);
    case 'j':
        return parse_jobs(diff, text);
    default:
        diff->level = option - '0';
        return -1;
    }
}

void kerf_diff_explain_in_place(struct kerf_why *why, const struct kerf_diff_options *diff, size_t old_len,
                                size_t new_len)
{
    if (!diff->in_place) {
        return;
    }
    if (old_len == 0) {
        kerf_why_set(why, "--in-place needs an old image, and that is empty: use --full");
    } else {
        kerf_why_set(why, "--in-place: images of %zu and %zu bytes do not fit into a slot of %" PRIu64, old_len,
                     new_len, diff->slot);
    }
}

bool kerf_diff_same_file(const char *a_path, const char *b_path)
{
    struct stat a;
    struct stat b;

    return a_path != NULL && b_path != NULL && stat(a_path, &a) == 0 && stat(b_path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}
