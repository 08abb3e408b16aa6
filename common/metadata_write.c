/* SPDX-License-Identifier: Apache-2.0 */
/* The maps inside the envelopes: writing. What was written is parsed again, so that nothing unreadable gets signed. */
#include "common/metadata.h"

#if KERF_ENCODER

static void put_span_text(struct kerf_cbor_writer *w, uint64_t key, struct kerf_span v)
{
    kerf_cbor_put_uint(w, key);
    kerf_cbor_put_text(w, v.p, v.len);
}

static void put_number(struct kerf_cbor_writer *w, uint64_t key, uint64_t v)
{
    kerf_cbor_put_uint(w, key);
    kerf_cbor_put_uint(w, v);
}

static void put_digest(struct kerf_cbor_writer *w, uint64_t key, const struct kerf_sha256_digest *v)
{
    kerf_cbor_put_uint(w, key);
    kerf_cbor_put_bytes(w, v->b, KERF_SHA256_LEN);
}

/* What the parser says of written bytes, as the writer's answer. */
static kerf_err verdict(kerf_err parse_err)
{
    return parse_err == KERF_OK ? KERF_OK : KERF_ERR_ARGUMENT;
}

static uint32_t count_bits(uint32_t v)
{
    uint32_t n = 0;

    for (; v != 0; v &= v - 1) {
        n++;
    }
    return n;
}

static void put_role(struct kerf_cbor_writer *w, const struct kerf_role *role)
{
    kerf_cbor_put_map(w, 2);
    put_number(w, 1, role->threshold);
    kerf_cbor_put_uint(w, 2);
    kerf_cbor_put_array(w, count_bits(role->key_mask));
    for (uint32_t i = 0; i < 32; i++) {
        if ((role->key_mask >> i & 1u) != 0) {
            kerf_cbor_put_uint(w, i);
        }
    }
}

kerf_err kerf_root_write(const struct kerf_root *root, uint8_t *buf, size_t cap, size_t *len)
{
    struct kerf_cbor_writer w;
    struct kerf_root check;

    if (root->key_count > KERF_ROOT_MAX_KEYS) {
        return KERF_ERR_ARGUMENT;
    }
    kerf_cbor_writer_init(&w, buf, cap);
    kerf_cbor_put_map(&w, 6);
    put_number(&w, 0, KERF_METADATA_VERSION);
    put_span_text(&w, 1, root->product);
    put_number(&w, 2, root->version);
    put_number(&w, 3, root->expires);
    kerf_cbor_put_uint(&w, 4);
    kerf_cbor_put_array(&w, root->key_count);
    for (uint32_t i = 0; i < root->key_count; i++) {
        kerf_cbor_put_map(&w, 3);
        kerf_cbor_put_uint(&w, 1);
        kerf_cbor_put_bytes(&w, root->keys[i].id.b, KERF_KEY_ID_LEN);
        kerf_cbor_put_uint(&w, 2);
        kerf_cbor_put_int(&w, root->keys[i].alg);
        kerf_cbor_put_uint(&w, 3);
        kerf_cbor_put_bytes(&w, root->keys[i].key.p, root->keys[i].key.len);
    }
    kerf_cbor_put_uint(&w, 5);
    kerf_cbor_put_array(&w, KERF_DOC_TYPES);
    for (uint32_t i = 0; i < KERF_DOC_TYPES; i++) {
        put_role(&w, &root->roles[i]);
    }
    kerf_err err = kerf_cbor_writer_end(&w, len);
    return err == KERF_OK ? verdict(kerf_root_parse(buf, *len, &check)) : err;
}

static void put_payload(struct kerf_cbor_writer *w, const struct kerf_payload *payload)
{
    kerf_cbor_put_map(w, 8u + (payload->is_delta ? 3u : 0u) + (payload->in_place ? 1u : 0u));
    put_digest(w, 1, &payload->digest);
    put_number(w, 2, payload->size);
    put_digest(w, 3, &payload->chunk0);
    put_span_text(w, 4, payload->format);
    put_number(w, 5, payload->workspace);
    put_number(w, 6, payload->codec);
    put_number(w, 7, payload->flags);
    put_number(w, 8, payload->isas);
    if (payload->is_delta) {
        put_digest(w, 9, &payload->from_digest);
        put_number(w, 10, payload->from_size);
        put_span_text(w, 11, payload->from_version);
    }
    if (payload->in_place) {
        kerf_cbor_put_uint(w, 12);
        kerf_cbor_put_array(w, 3);
        kerf_cbor_put_uint(w, payload->sector_log2);
        kerf_cbor_put_uint(w, payload->scratch);
        kerf_cbor_put_uint(w, payload->group);
    }
}

static void put_component(struct kerf_cbor_writer *w, const struct kerf_component_list *entry)
{
    const struct kerf_component *component = &entry->component;

    kerf_cbor_put_map(w, component->min_from_seq != 0 ? 7 : 6);
    put_span_text(w, 1, component->name);
    put_span_text(w, 2, component->version);
    put_number(w, 3, component->size);
    put_digest(w, 4, &component->digest);
    put_number(w, 5, component->order);
    kerf_cbor_put_uint(w, 6);
    kerf_cbor_put_array(w, (uint32_t)entry->payload_count);
    for (size_t i = 0; i < entry->payload_count; i++) {
        put_payload(w, &entry->payloads[i]);
    }
    if (component->min_from_seq != 0) {
        put_number(w, 7, component->min_from_seq);
    }
}

kerf_err kerf_release_write(const struct kerf_release *release, const struct kerf_span *hardware, size_t hardware_count,
                            const struct kerf_component_list *components, size_t component_count, uint8_t *buf,
                            size_t cap, size_t *len)
{
    struct kerf_cbor_writer w;
    struct kerf_release check;

    /* Counts are written as 32 bits; nothing near that fits into a document. */
    if (hardware_count > KERF_METADATA_MAX_LEN || component_count > KERF_METADATA_MAX_LEN) {
        return KERF_ERR_ARGUMENT;
    }
    kerf_cbor_writer_init(&w, buf, cap);
    kerf_cbor_put_map(&w, 9);
    put_number(&w, 0, KERF_METADATA_VERSION);
    put_span_text(&w, 1, release->product);
    put_number(&w, 2, release->seq);
    put_number(&w, 3, release->expires);
    put_number(&w, 4, release->issued);
    put_number(&w, 5, release->sc);
    put_span_text(&w, 6, release->version);
    kerf_cbor_put_uint(&w, 7);
    kerf_cbor_put_array(&w, (uint32_t)hardware_count);
    for (size_t i = 0; i < hardware_count; i++) {
        kerf_cbor_put_text(&w, hardware[i].p, hardware[i].len);
    }
    kerf_cbor_put_uint(&w, 8);
    kerf_cbor_put_array(&w, (uint32_t)component_count);
    for (size_t i = 0; i < component_count; i++) {
        if (components[i].payload_count > KERF_METADATA_MAX_LEN) {
            return KERF_ERR_ARGUMENT;
        }
        put_component(&w, &components[i]);
    }
    kerf_err err = kerf_cbor_writer_end(&w, len);
    return err == KERF_OK ? verdict(kerf_release_parse(buf, *len, &check)) : err;
}

kerf_err kerf_fresh_write(const struct kerf_fresh *fresh, uint8_t *buf, size_t cap, size_t *len)
{
    struct kerf_cbor_writer w;
    struct kerf_fresh check;

    kerf_cbor_writer_init(&w, buf, cap);
    kerf_cbor_put_map(&w, fresh->nonce.len > 0 ? 7 : 6);
    put_number(&w, 0, KERF_METADATA_VERSION);
    put_span_text(&w, 1, fresh->product);
    put_number(&w, 2, fresh->seq);
    put_number(&w, 3, fresh->expires);
    put_number(&w, 4, fresh->issued);
    put_digest(&w, 5, &fresh->release_digest);
    if (fresh->nonce.len > 0) {
        kerf_cbor_put_uint(&w, 6);
        kerf_cbor_put_bytes(&w, fresh->nonce.p, fresh->nonce.len);
    }
    kerf_err err = kerf_cbor_writer_end(&w, len);
    return err == KERF_OK ? verdict(kerf_fresh_parse(buf, *len, &check)) : err;
}

#else
typedef int kerf_metadata_write_is_empty; /* ISO C forbids an empty file */
#endif
