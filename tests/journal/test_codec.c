#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "journal/internal.h"
#include "tests/journal/scratch.h"

static void fields_come_back(void **state)
{
    struct encoder w = {0};
    struct decoder r;
    struct hash128 h = hash_bytes("x", 1);

    (void)state;
    encode_u8(&w, 200);
    encode_u32(&w, 0x01020304);
    encode_u64(&w, 0x0102030405060708);
    encode_f64(&w, -0.1);
    encode_hash(&w, h);
    encode_string(&w, "na\xc3\xafve");
    encode_string(&w, NULL);
    assert_false(w.failed);
    /* Little-endian on every machine. */
    assert_memory_equal(w.bytes, "\xc8\x04\x03\x02\x01\x08\x07\x06\x05\x04\x03\x02\x01", 13);
    r = (struct decoder){w.bytes, w.bytes + w.size, false};
    assert_int_equal(decode_u8(&r), 200);
    assert_int_equal(decode_u32(&r), 0x01020304);
    assert_int_equal(decode_u64(&r), 0x0102030405060708);
    assert_true(decode_f64(&r) == -0.1);
    assert_true(hash_equal(decode_hash(&r), h));
    assert_string_equal(decode_string(&r), "na\xc3\xafve");
    assert_string_equal(decode_string(&r), "");
    assert_true(decode_done(&r));
    assert_int_equal(decode_u8(&r), 0);
    assert_true(r.bad);
    free(w.bytes);
}

/* A sealed record value in memory of exactly its size, so that ASan sees one byte too far. */
static uint8_t *sealed_record(size_t *size)
{
    struct world_shot w;
    struct encoder c = {0};
    struct key k;
    struct error e = {0};
    uint8_t *exact;

    world_make(&w, 7, 1);
    assert_ok(key_stage(&k, TABLE_RECORD, w.id, "generate", &e));
    envelope_begin(&c, k.bytes, k.size, 0, RECORD_VERSION);
    encode_record(&c, &w.record);
    envelope_seal(c.bytes, c.size, 42);
    exact = malloc(c.size);
    assert_non_null(exact);
    memcpy(exact, c.bytes, c.size);
    *size = c.size;
    free(c.bytes);
    world_free(&w);
    return exact;
}

static void every_flipped_bit_is_found(void **state)
{
    struct envelope v;
    size_t size;
    uint8_t *value = sealed_record(&size);

    (void)state;
    assert_true(envelope_open(value, size, true, &v));
    assert_int_equal(v.serial, 42);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(envelope_open(value, size, true, &v));
        assert_false(envelope_open(value, size, false, &v));
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t less = 0; less < size; less++)
        assert_false(envelope_open(value, less, false, &v));
    free(value);
}

/* Bytes that a checksum vouches for and that still make no sense: refused or decoded, never read
 * out of bounds (the sanitizer's affair), and a sound record stays sound. */
static void any_payload_is_decoded_within_bounds(void **state)
{
    uint64_t seed = random_seed();
    struct envelope v;
    struct stage_record r;
    size_t size, refused = 0;
    uint8_t *value = sealed_record(&size);
    bool no_memory;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint8_t *copy = malloc(size);
        struct arena arena = {0};
        int flips = 1 + (int)(random_next(&seed) % 3);

        assert_non_null(copy);
        memcpy(copy, value, size);
        assert_true(envelope_open(value, size, true, &v));
        for (int f = 0; f < flips; f++)
            copy[(size_t)(v.payload - value) + random_next(&seed) % v.payload_size] ^=
                (uint8_t)(1 + random_next(&seed) % 255);
        envelope_seal(copy, size, 1);
        assert_true(envelope_open(copy, size, true, &v));
        if (decode_record(&v, &arena, &r, &no_memory)) {
            assert_true(r.input_count < size && r.artefact_count < size);
            for (size_t k = 0; k < r.input_count; k++)
                assert_true(strlen(r.inputs[k].name) + strlen(r.inputs[k].value) < size);
        } else {
            refused++;
        }
        arena_free(&arena);
        free(copy);
    }
    assert_true(refused > 0);
    free(value);
}

static void truncated_payloads_are_refused(void **state)
{
    struct envelope v;
    struct stage_record r;
    struct arena arena = {0};
    size_t size;
    uint8_t *value = sealed_record(&size);
    bool no_memory;

    (void)state;
    assert_true(envelope_open(value, size, true, &v));
    assert_true(decode_record(&v, &arena, &r, &no_memory));
    for (size_t less = 0; less < v.payload_size; less++) {
        struct envelope cut = v;

        cut.payload_size = less;
        assert_false(decode_record(&cut, &arena, &r, &no_memory));
        assert_false(no_memory);
    }
    arena_free(&arena);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_back),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(any_payload_is_decoded_within_bounds),
        cmocka_unit_test(truncated_payloads_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
