/* SPDX-License-Identifier: Apache-2.0 */
/* The maps inside the envelopes: reading and walking. Checks: metadata_check.c; envelope and signatures: envelope.c. */
#include "common/metadata.h"

#include <string.h>

/* The keys of a map of which all from 0 up are critical, as they come by. */
struct map_walk {
    uint32_t left; /* pairs to come */
    uint32_t seen; /* bit k: key k was there */
};

/* Bits first .. last. */
static uint32_t keys(unsigned first, unsigned last)
{
    return (2u << last) - (1u << first);
}

static kerf_err map_begin(struct kerf_cbor_reader *r, struct map_walk *walk)
{
    walk->seen = 0;
    return kerf_cbor_read_map(r, &walk->left);
}

/*
 * The next key from 0 to max; its value is to be read next. Extensions (negative keys) are skipped. KERF_END: no more.
 * A key over max, or of text, is critical and unknown: KERF_ERR_FORMAT.
 */
static kerf_err map_next(struct kerf_cbor_reader *r, struct map_walk *walk, unsigned max, unsigned *key)
{
    while (walk->left > 0) {
        int64_t k;
        kerf_err err = kerf_cbor_read_int(r, &k);

        walk->left--;
        if (err != KERF_OK) {
            return err;
        }
        if (k > (int64_t)max) {
            return KERF_ERR_FORMAT;
        }
        if (k >= 0) {
            *key = (unsigned)k;
            walk->seen |= 1u << *key;
            return KERF_OK;
        }
        err = kerf_cbor_skip(r, NULL);
        if (err != KERF_OK) {
            return err;
        }
    }
    return KERF_END;
}

/* Key 0 of every document. Sorting makes it the first, so that a later version is recognised before anything else. */
static kerf_err read_encoding_version(struct kerf_cbor_reader *r)
{
    uint64_t v;
    kerf_err err = kerf_cbor_read_uint(r, &v);

    if (err != KERF_OK) {
        return err;
    }
    return v == KERF_METADATA_VERSION ? KERF_OK : KERF_ERR_VERSION;
}

static kerf_err read_name(struct kerf_cbor_reader *r, struct kerf_span *name)
{
    kerf_err err = kerf_cbor_read_text(r, name);

    if (err != KERF_OK) {
        return err;
    }
    return kerf_name_valid(*name) ? KERF_OK : KERF_ERR_FORMAT;
}

static kerf_err read_version_name(struct kerf_cbor_reader *r, struct kerf_span *name)
{
    kerf_err err = kerf_cbor_read_text(r, name);

    if (err != KERF_OK) {
        return err;
    }
    return kerf_version_name_valid(*name) ? KERF_OK : KERF_ERR_FORMAT;
}

static kerf_err read_digest(struct kerf_cbor_reader *r, struct kerf_sha256_digest *digest)
{
    struct kerf_span v;
    kerf_err err = kerf_cbor_read_bytes(r, &v);

    if (err != KERF_OK) {
        return err;
    }
    if (v.len != KERF_SHA256_LEN) {
        return KERF_ERR_FORMAT;
    }
    memcpy(digest->b, v.p, KERF_SHA256_LEN);
    return KERF_OK;
}

static kerf_err read_u32(struct kerf_cbor_reader *r, uint32_t *v)
{
    uint64_t wide;
    kerf_err err = kerf_cbor_read_uint(r, &wide);

    if (err != KERF_OK) {
        return err;
    }
    *v = (uint32_t)wide;
    return wide <= UINT32_MAX ? KERF_OK : KERF_ERR_FORMAT;
}

/* An integer of 1 or more. */
static kerf_err read_positive(struct kerf_cbor_reader *r, uint64_t *v)
{
    kerf_err err = kerf_cbor_read_uint(r, v);

    if (err != KERF_OK) {
        return err;
    }
    return *v > 0 ? KERF_OK : KERF_ERR_FORMAT;
}

/* Bytewise order; a prefix comes first. */
static bool span_before(struct kerf_span a, struct kerf_span b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.p, b.p, common);

    return order < 0 || (order == 0 && a.len < b.len);
}

/* --- root --- */

/* Length of a raw public key; 0: an algorithm that isn't known. */
static size_t public_key_len(int64_t alg)
{
    if (alg == KERF_ALG_EDDSA) {
        return 32;
    }
    return alg == KERF_ALG_ES256 ? 65 : 0;
}

static kerf_err read_key(struct kerf_cbor_reader *r, struct kerf_public_key *key)
{
    struct map_walk walk;
    struct kerf_span v;
    unsigned k = 0;
    int64_t alg = 0;
    kerf_err err = map_begin(r, &walk);

    while (err == KERF_OK && (err = map_next(r, &walk, 3, &k)) == KERF_OK) {
        switch (k) {
        case 1:
            err = kerf_cbor_read_bytes(r, &v);
            if (err == KERF_OK && v.len != KERF_KEY_ID_LEN) {
                return KERF_ERR_FORMAT;
            }
            if (err == KERF_OK) {
                memcpy(key->id.b, v.p, KERF_KEY_ID_LEN);
            }
            break;
        case 2:
            err = kerf_cbor_read_int(r, &alg);
            break;
        case 3:
            err = kerf_cbor_read_bytes(r, &key->key);
            break;
        default:
            return KERF_ERR_FORMAT;
        }
    }
    if (err != KERF_END) {
        return err;
    }
    if (walk.seen != keys(1, 3) || public_key_len(alg) == 0 || key->key.len != public_key_len(alg)) {
        return KERF_ERR_FORMAT;
    }
    key->alg = (int32_t)alg;
    return KERF_OK;
}

static kerf_err read_keys(struct kerf_cbor_reader *r, struct kerf_root *root)
{
    kerf_err err = kerf_cbor_read_array(r, &root->key_count);

    if (err != KERF_OK) {
        return err;
    }
    if (root->key_count == 0 || root->key_count > KERF_ROOT_MAX_KEYS) {
        return KERF_ERR_FORMAT;
    }
    for (uint32_t i = 0; i < root->key_count; i++) {
        err = read_key(r, &root->keys[i]);
        if (err != KERF_OK) {
            return err;
        }
        if (i > 0 && memcmp(root->keys[i - 1].id.b, root->keys[i].id.b, KERF_KEY_ID_LEN) >= 0) {
            return KERF_ERR_FORMAT;
        }
        /* One key under two ids would count twice towards a threshold. */
        for (uint32_t j = 0; j < i; j++) {
            if (kerf_span_equal(root->keys[j].key, root->keys[i].key)) {
                return KERF_ERR_FORMAT;
            }
        }
    }
    return KERF_OK;
}

static kerf_err read_role_keys(struct kerf_cbor_reader *r, uint32_t key_count, uint32_t *mask, uint32_t *count)
{
    uint32_t first_free = 0; /* indexes ascend */
    kerf_err err = kerf_cbor_read_array(r, count);

    *mask = 0;
    for (uint32_t i = 0; err == KERF_OK && i < *count; i++) {
        uint32_t index;

        err = read_u32(r, &index);
        if (err == KERF_OK && (index < first_free || index >= key_count)) {
            return KERF_ERR_FORMAT;
        }
        if (err == KERF_OK) {
            *mask |= 1u << index; /* index < KERF_ROOT_MAX_KEYS */
            first_free = index + 1;
        }
    }
    return err;
}

static kerf_err read_role(struct kerf_cbor_reader *r, uint32_t key_count, struct kerf_role *role)
{
    struct map_walk walk;
    unsigned k = 0;
    uint32_t count = 0;
    kerf_err err = map_begin(r, &walk);

    while (err == KERF_OK && (err = map_next(r, &walk, 2, &k)) == KERF_OK) {
        switch (k) {
        case 1:
            err = read_u32(r, &role->threshold);
            break;
        case 2:
            err = read_role_keys(r, key_count, &role->key_mask, &count);
            break;
        default:
            return KERF_ERR_FORMAT;
        }
    }
    if (err != KERF_END) {
        return err;
    }
    if (walk.seen != keys(1, 2) || role->threshold == 0 || role->threshold > count) {
        return KERF_ERR_FORMAT;
    }
    return KERF_OK;
}

static kerf_err read_roles(struct kerf_cbor_reader *r, struct kerf_root *root)
{
    uint32_t count;
    kerf_err err = kerf_cbor_read_array(r, &count);

    if (err == KERF_OK && count != KERF_DOC_TYPES) {
        return KERF_ERR_FORMAT;
    }
    for (uint32_t i = 0; err == KERF_OK && i < KERF_DOC_TYPES; i++) {
        err = read_role(r, root->key_count, &root->roles[i]); /* the keys came before: key 4 sorts before 5 */
    }
    return err;
}

static kerf_err parse_root(struct kerf_cbor_reader *r, struct kerf_root *root)
{
    struct map_walk walk;
    unsigned k = 0;
    kerf_err err = map_begin(r, &walk);

    while (err == KERF_OK && (err = map_next(r, &walk, 5, &k)) == KERF_OK) {
        switch (k) {
        case 0:
            err = read_encoding_version(r);
            break;
        case 1:
            err = read_name(r, &root->product);
            break;
        case 2:
            err = read_positive(r, &root->version);
            break;
        case 3:
            err = kerf_cbor_read_uint(r, &root->expires);
            break;
        case 4:
            err = read_keys(r, root);
            break;
        default:
            err = read_roles(r, root);
            break;
        }
    }
    if (err != KERF_END) {
        return err;
    }
    return walk.seen == keys(0, 5) ? kerf_cbor_reader_end(r) : KERF_ERR_FORMAT;
}

kerf_err kerf_root_parse(const uint8_t *payload, size_t len, struct kerf_root *root)
{
    struct kerf_cbor_reader r;

    kerf_cbor_reader_init(&r, payload, len);
    memset(root, 0, sizeof *root);
    kerf_err err = parse_root(&r, root);
    if (err != KERF_OK) {
        memset(root, 0, sizeof *root); /* nothing of it may be used */
    }
    return err;
}

/* --- release --- */

static kerf_err read_geometry(struct kerf_cbor_reader *r, struct kerf_payload *payload)
{
    uint32_t count;
    kerf_err err = kerf_cbor_read_array(r, &count);

    if (err == KERF_OK && count != 3) {
        return KERF_ERR_FORMAT;
    }
    if (err == KERF_OK) {
        err = read_u32(r, &payload->sector_log2);
    }
    if (err == KERF_OK) {
        err = read_u32(r, &payload->scratch);
    }
    if (err == KERF_OK) {
        err = read_u32(r, &payload->group);
    }
    if (err == KERF_OK && payload->sector_log2 > 31) {
        return KERF_ERR_FORMAT;
    }
    payload->in_place = true;
    return err;
}

static kerf_err read_payload_value(struct kerf_cbor_reader *r, unsigned key, struct kerf_payload *payload)
{
    switch (key) {
    case 1:
        return read_digest(r, &payload->digest);
    case 2:
        return read_positive(r, &payload->size);
    case 3:
        return read_digest(r, &payload->chunk0);
    case 4:
        return read_version_name(r, &payload->format);
    case 5:
        return kerf_cbor_read_uint(r, &payload->workspace);
    case 6:
        return read_u32(r, &payload->codec);
    case 7:
        return read_u32(r, &payload->flags);
    case 8:
        return read_u32(r, &payload->isas);
    case 9:
        return read_digest(r, &payload->from_digest);
    case 10:
        return read_positive(r, &payload->from_size);
    case 11:
        return read_version_name(r, &payload->from_version);
    case 12:
        return read_geometry(r, payload);
    default:
        return KERF_ERR_FORMAT;
    }
}

static kerf_err parse_payload(struct kerf_cbor_reader *r, struct kerf_payload *payload)
{
    struct map_walk walk;
    unsigned k = 0;

    memset(payload, 0, sizeof *payload);
    kerf_err err = map_begin(r, &walk);
    while (err == KERF_OK && (err = map_next(r, &walk, 12, &k)) == KERF_OK) {
        err = read_payload_value(r, k, payload);
    }
    if (err != KERF_END) {
        return err;
    }
    uint32_t from = walk.seen & keys(9, 11);
    payload->is_delta = from != 0;
    if ((walk.seen & keys(1, 8)) != keys(1, 8) || (from != 0 && from != keys(9, 11))) {
        return KERF_ERR_FORMAT;
    }
    return KERF_OK;
}

static kerf_err read_payloads(struct kerf_cbor_reader *r, struct kerf_component *component)
{
    bool deltas = false;
    kerf_err err = kerf_cbor_read_array(r, &component->payload_count);
    size_t start = r->pos;

    if (err == KERF_OK && component->payload_count == 0) {
        return KERF_ERR_FORMAT;
    }
    for (uint32_t i = 0; err == KERF_OK && i < component->payload_count; i++) {
        struct kerf_payload payload;

        err = parse_payload(r, &payload);
        if (err == KERF_OK && deltas && !payload.is_delta) { /* full payloads come first */
            return KERF_ERR_FORMAT;
        }
        deltas = payload.is_delta;
    }
    component->payloads = (struct kerf_span){r->buf + start, r->pos - start};
    return err;
}

static kerf_err read_component_value(struct kerf_cbor_reader *r, unsigned key, struct kerf_component *component)
{
    switch (key) {
    case 1:
        return read_name(r, &component->name);
    case 2:
        return read_version_name(r, &component->version);
    case 3:
        return read_positive(r, &component->size);
    case 4:
        return read_digest(r, &component->digest);
    case 5:
        return kerf_cbor_read_uint(r, &component->order);
    case 6:
        return read_payloads(r, component);
    case 7:
        return read_positive(r, &component->min_from_seq);
    default:
        return KERF_ERR_FORMAT;
    }
}

static kerf_err parse_component(struct kerf_cbor_reader *r, struct kerf_component *component)
{
    struct map_walk walk;
    unsigned k = 0;

    memset(component, 0, sizeof *component);
    kerf_err err = map_begin(r, &walk);
    while (err == KERF_OK && (err = map_next(r, &walk, 7, &k)) == KERF_OK) {
        err = read_component_value(r, k, component);
    }
    if (err != KERF_END) {
        return err;
    }
    return (walk.seen & keys(1, 6)) == keys(1, 6) && (walk.seen & 1u) == 0 ? KERF_OK : KERF_ERR_FORMAT;
}

static kerf_err read_components(struct kerf_cbor_reader *r, struct kerf_release *release)
{
    struct kerf_span previous = {NULL, 0};
    kerf_err err = kerf_cbor_read_array(r, &release->component_count);
    size_t start = r->pos;

    if (err == KERF_OK && release->component_count == 0) {
        return KERF_ERR_FORMAT;
    }
    for (uint32_t i = 0; err == KERF_OK && i < release->component_count; i++) {
        struct kerf_component component;

        err = parse_component(r, &component);
        if (err == KERF_OK && i > 0 && !span_before(previous, component.name)) {
            return KERF_ERR_FORMAT;
        }
        previous = component.name;
    }
    release->components = (struct kerf_span){r->buf + start, r->pos - start};
    return err;
}

static kerf_err read_hardware(struct kerf_cbor_reader *r, struct kerf_release *release)
{
    struct kerf_span previous = {NULL, 0};
    kerf_err err = kerf_cbor_read_array(r, &release->hardware_count);
    size_t start = r->pos;

    for (uint32_t i = 0; err == KERF_OK && i < release->hardware_count; i++) {
        struct kerf_span id;

        err = read_name(r, &id);
        if (err == KERF_OK && i > 0 && !span_before(previous, id)) {
            return KERF_ERR_FORMAT;
        }
        previous = id;
    }
    release->hardware = (struct kerf_span){r->buf + start, r->pos - start};
    return err;
}

static kerf_err read_release_value(struct kerf_cbor_reader *r, unsigned key, struct kerf_release *release)
{
    switch (key) {
    case 0:
        return read_encoding_version(r);
    case 1:
        return read_name(r, &release->product);
    case 2:
        return read_positive(r, &release->seq);
    case 3:
        return kerf_cbor_read_uint(r, &release->expires);
    case 4:
        return kerf_cbor_read_uint(r, &release->issued);
    case 5:
        return kerf_cbor_read_uint(r, &release->sc);
    case 6:
        return read_version_name(r, &release->version);
    case 7:
        return read_hardware(r, release);
    case 8:
        return read_components(r, release);
    default:
        return KERF_ERR_FORMAT;
    }
}

kerf_err kerf_release_parse(const uint8_t *payload, size_t len, struct kerf_release *release)
{
    struct kerf_cbor_reader r;
    struct map_walk walk;
    unsigned k = 0;

    kerf_cbor_reader_init(&r, payload, len);
    memset(release, 0, sizeof *release);
    kerf_err err = map_begin(&r, &walk);
    while (err == KERF_OK && (err = map_next(&r, &walk, 8, &k)) == KERF_OK) {
        err = read_release_value(&r, k, release);
    }
    if (err == KERF_END) {
        err = walk.seen == keys(0, 8) ? kerf_cbor_reader_end(&r) : KERF_ERR_FORMAT;
    }
    if (err != KERF_OK) {
        memset(release, 0, sizeof *release);
    }
    return err;
}

kerf_err kerf_release_next_component(const struct kerf_release *release, size_t *cursor,
                                     struct kerf_component *component)
{
    struct kerf_cbor_reader r;

    if (*cursor == release->components.len) {
        return KERF_END;
    }
    if (*cursor > release->components.len) {
        return KERF_ERR_ARGUMENT;
    }
    kerf_cbor_reader_init(&r, release->components.p + *cursor, release->components.len - *cursor);
    if (parse_component(&r, component) != KERF_OK) { /* it was parsed once, so the cursor must be wrong */
        return KERF_ERR_ARGUMENT;
    }
    *cursor += r.pos;
    return KERF_OK;
}

kerf_err kerf_component_next_payload(const struct kerf_component *component, size_t *cursor,
                                     struct kerf_payload *payload)
{
    struct kerf_cbor_reader r;

    if (*cursor == component->payloads.len) {
        return KERF_END;
    }
    if (*cursor > component->payloads.len) {
        return KERF_ERR_ARGUMENT;
    }
    kerf_cbor_reader_init(&r, component->payloads.p + *cursor, component->payloads.len - *cursor);
    if (parse_payload(&r, payload) != KERF_OK) {
        return KERF_ERR_ARGUMENT;
    }
    *cursor += r.pos;
    return KERF_OK;
}

bool kerf_release_has_hardware(const struct kerf_release *release, struct kerf_span id)
{
    size_t pos = 0;

    if (release->hardware_count == 0) {
        return true;
    }
    for (uint32_t i = 0; i < release->hardware_count; i++) {
        struct kerf_cbor_reader r;
        struct kerf_span name;

        kerf_cbor_reader_init(&r, release->hardware.p + pos, release->hardware.len - pos);
        if (kerf_cbor_read_text(&r, &name) != KERF_OK) {
            return false;
        }
        if (kerf_span_equal(name, id)) {
            return true;
        }
        pos += r.pos;
    }
    return false;
}

/* --- fresh --- */

static kerf_err read_nonce(struct kerf_cbor_reader *r, struct kerf_span *nonce)
{
    kerf_err err = kerf_cbor_read_bytes(r, nonce);

    if (err != KERF_OK) {
        return err;
    }
    return nonce->len > 0 && nonce->len <= KERF_NONCE_MAX_LEN ? KERF_OK : KERF_ERR_FORMAT;
}

static kerf_err read_fresh_value(struct kerf_cbor_reader *r, unsigned key, struct kerf_fresh *fresh)
{
    switch (key) {
    case 0:
        return read_encoding_version(r);
    case 1:
        return read_name(r, &fresh->product);
    case 2:
        return read_positive(r, &fresh->seq);
    case 3:
        return read_positive(r, &fresh->expires);
    case 4:
        return kerf_cbor_read_uint(r, &fresh->issued);
    case 5:
        return read_digest(r, &fresh->release_digest);
    case 6:
        return read_nonce(r, &fresh->nonce);
    default:
        return KERF_ERR_FORMAT;
    }
}

kerf_err kerf_fresh_parse(const uint8_t *payload, size_t len, struct kerf_fresh *fresh)
{
    struct kerf_cbor_reader r;
    struct map_walk walk;
    unsigned k = 0;

    kerf_cbor_reader_init(&r, payload, len);
    memset(fresh, 0, sizeof *fresh);
    kerf_err err = map_begin(&r, &walk);
    while (err == KERF_OK && (err = map_next(&r, &walk, 6, &k)) == KERF_OK) {
        err = read_fresh_value(&r, k, fresh);
    }
    if (err == KERF_END) {
        err = (walk.seen & keys(0, 5)) == keys(0, 5) ? kerf_cbor_reader_end(&r) : KERF_ERR_FORMAT;
    }
    if (err != KERF_OK) {
        memset(fresh, 0, sizeof *fresh);
    }
    return err;
}
