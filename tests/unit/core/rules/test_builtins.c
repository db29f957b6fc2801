/* Every built-in finds all samples of its own in all their forms, none that only look right, and next to nothing in
 * noise. SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "builtin/builtin.h"
#include "matching.h"
#include "rein/builtin.h"

enum { SAMPLES = 400, NOISE_BYTES = 1 << 18, PRINTED_MAX = 5 };

static struct ruleset *rules_of(const struct builtin *builtin, bool folded)
{
    struct ruleset *rules;
    const char *why;
    const struct rule_spec spec = {
        .id = "x", .channels = 1u << REIN_ANSWER, .builtin = builtin->name, .folded = folded};
    assert_int_equal(ruleset_new(&rules, 1 << 20), 0);
    assert_int_equal(ruleset_add(rules, &spec, &why), 0);
    assert_int_equal(ruleset_finish(rules), 0);
    return rules;
}

/* Does a match cover what is to be found; with to = 0, is there any? The text comes in pieces of seven bytes. */
static bool finds(const struct ruleset *rules, const struct sample *sample, size_t to)
{
    size_t cuts[SAMPLE_TEXT_MAX / 7 + 1], len = 0;
    for (size_t at = 7; at < sample->len; at += 7)
        cuts[len++] = at;
    struct match_list found = {0};
    assert_int_equal(match_in_pieces(rules, (struct span){sample->text, sample->len}, cuts, len, &found, NULL, NULL),
                     0);
    bool is_found = false;
    for (size_t i = 0; i < found.len; i++)
        is_found |= to == 0 || (found.items[i].start <= sample->from && found.items[i].end >= to);
    match_list_fini(&found);
    return is_found;
}

static void print_text(const char *what, const struct builtin *builtin, const struct sample *sample)
{
    print_error("%s %s: %.*s\n", builtin->name, what, (int)sample->len, sample->text);
}

static void test_all_samples_are_found_and_no_near_ones(void **state)
{
    struct sample_dice dice = {20250301};
    size_t missed = 0, wrong = 0;
    (void)state;
    for (size_t b = 0; builtin_at(b) != NULL; b++) {
        const struct builtin *builtin = builtin_at(b);
        struct ruleset *rules = rules_of(builtin, false);
        size_t printed = 0;
        for (size_t i = 0; i < SAMPLES; i++) {
            struct sample sample;
            sample_make(&sample, builtin_samples(builtin, &dice), &dice);
            bool is_found = finds(rules, &sample, sample.to);
            if (!is_found && printed++ < PRINTED_MAX)
                print_text("misses", builtin, &sample);
            sample_make_near(&sample, builtin_samples(builtin, &dice), &dice);
            bool is_wrong = finds(rules, &sample, 0);
            if (is_wrong && printed++ < PRINTED_MAX)
                print_text("takes", builtin, &sample);
            missed += !is_found;
            wrong += is_wrong;
        }
        ruleset_free(rules);
    }
    print_message("%zu missed, %zu taken that are none\n", missed, wrong);
    assert_int_equal(missed, 0);
    assert_int_equal(wrong, 0);
}

/* In small letters too. */
static void test_folded_rules_find_samples(void **state)
{
    struct sample_dice dice = {20250303};
    size_t missed = 0;
    (void)state;
    for (size_t b = 0; builtin_at(b) != NULL; b++) {
        const struct builtin *builtin = builtin_at(b);
        if (builtin->raw_only)
            continue;
        struct ruleset *rules = rules_of(builtin, true);
        for (size_t i = 0; i < SAMPLES / 4; i++) {
            struct sample sample;
            sample_make(&sample, builtin_samples(builtin, &dice), &dice);
            bool is_found = finds(rules, &sample, sample.to);
            if (!is_found)
                print_text("misses folded", builtin, &sample);
            missed += !is_found;
        }
        ruleset_free(rules);
    }
    assert_int_equal(missed, 0);
}

/* Examples that the issuers or the literature publish, and what is next to them: the samples above are made with the
 * program's own arithmetic, these are not. */
static void test_published_examples(void **state)
{
    static const struct {
        const char *builtin, *text;
        bool is_found;
    } cases[] = {
        {"spain_dni", "DNI 12345678Z", true},
        {"spain_dni", "12345678A", false},
        {"spain_dni", "X1234567L.", true},
        {"spain_dni", "112345678Z", false},
        {"italy_codice_fiscale", "RSSMRA85T10A562S", true},
        {"italy_codice_fiscale", "RSSMRA85T10A562T", false},
        {"netherlands_bsn", "BSN 123456782", true},
        {"netherlands_bsn", "BSN 123456789", false},
        {"netherlands_bsn", "order 123456782", false},
        {"poland_pesel", "PESEL: 44051401359", true},
        {"poland_pesel", "PESEL: 44051401358", false},
        {"brazil_cpf", "529.982.247-25", true},
        {"brazil_cpf", "529.982.247-26", false},
        {"brazil_cpf", "52998224725", false},
        {"brazil_cpf", "CPF 52998224725", true},
        {"india_aadhaar", "Aadhaar 2341 2341 2346", true},
        {"india_aadhaar", "Aadhaar 2341 2341 2347", false},
        {"sweden_personnummer", "811218-9876", true},
        {"sweden_personnummer", "19811218-9876", true},
        {"sweden_personnummer", "811218-9877", false},
        {"sweden_personnummer", "8112189876", false},
        {"belgium_national_number", "85.07.30-033.28", true},
        {"belgium_national_number", "85.07.30-033.29", false},
        {"france_nir", "2 55 08 14 168 025 38", true},
        {"france_nir", "255081416802538", true},
        {"france_nir", "255081416802539", false},
        {"germany_tax_id", "Steuer-ID: 86 095 742 719", true},
        {"germany_tax_id", "Steuer-ID: 86 095 742 718", false},
        {"germany_tax_id", "86095742719", false},
        {"uk_nino", "AB 12 34 56 C", true},
        {"uk_nino", "NINO: AB123456C", true},
        {"uk_nino", "AB123456C", false},
        {"card_number", "4111 1111 1111 1111", true},
        {"iban", "DE89 3704 0044 0532 0130 00", true},
        {"phone", "call +44 20 7946 0958 now", true},
        {"phone", "+1 (212) 555-0123", true},
        {"phone", "(212) 555-0123", true},
        {"phone", "+49 (0)30 / 12 34 567", true},
        {"phone", "Tel.: 030 1234567", true},
        {"phone", "t\xC3\xA9l\xC3\xA9phone : 01 23 45 67 89", true},
        {"phone", "a hotel of 1234567 rooms", false},
        {"phone", "mobile 54321.45", false},
        {"phone", "1+1234567890", false},
        {"phone", "2024-11-30T12:00:00+02:00", false},
        {"ipv4", "from 192.168.1.20, port 8080", true},
        {"ipv4", "version 10.0.19041.1", false},
        {"ipv4", "127.0.0.1", false},
        {"ipv4", "1.2.3.4", false},
        {"ipv6", "[2001:db8::8a2e:370:7334]", true},
        {"ipv6", "std::vector<face::add>", false},
        {"ipv6", "12:34:56", false},
        {"mac_address", "00:1A:2b:3c:4D:5e", true},
        {"mac_address", "16:27:AC:A5:76:28:2D:36:63:1B:56:4D:EB:DF:A6:48:31:6F:00:12", false},
        {"connection_string", "postgresql://app:s3cr3t@db.internal:5432/app", true},
        {"connection_string", "postgresql://app:${PG_PASSWORD}@db.internal/app", false},
        {"connection_string", "Server=db;User Id=sa;Password=Tr0ub4dor;", true},
        {"connection_string", "https://example.org:8443/@user", false},
        {"discord_token", "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDE.abcdefghijklmnopqrstuvwxyz0123456789AB", true},
        {"zero_width", "\xEF\xBB\xBFText that begins with a mark of byte order", false},
        {"zero_width", "pass\xE2\x80\x8Bword", true},
        {"bidi_controls", "access\xE2\x80\xAE level", true},
        {"tag_characters",
         "\xF0\x9F\x8F\xB4\xF3\xA0\x81\xA7\xF3\xA0\x81\xA2\xF3\xA0\x81\xA5\xF3\xA0\x81\xAE"
         "\xF3\xA0\x81\xA7\xF3\xA0\x81\xBF is the flag of England",
         false},
        {"hidden_text", "hi\xF3\xA0\x81\xA9\xF3\xA0\x81\xA7", true},
        {"hidden_text", "\xE2\x9D\xA4\xEF\xB8\x8F and \xE2\x80\x9Cquotes\xE2\x80\x9D", false},
        {"secrets", "-----BEGIN RSA PRIVATE KEY-----", true},
        {"secrets", "risk-assessment-of-the-customer", false},
        {"secrets", "the password is not in here", false},
    };
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sample sample = {.len = strlen(cases[i].text)};
        memcpy(sample.text, cases[i].text, sample.len);
        struct ruleset *rules = rules_of(builtin_find(cases[i].builtin), false);
        bool is_found = finds(rules, &sample, 0);
        if (is_found != cases[i].is_found)
            print_text(is_found ? "takes" : "misses", builtin_find(cases[i].builtin), &sample);
        wrong += is_found != cases[i].is_found;
        ruleset_free(rules);
    }
    assert_int_equal(wrong, 0);
}

/* ---- noise ------------------------------------------------------------------------------------------------------- */

/* Finds in one MiB of noise of one kind, at most. What is not here: ten. A number of cards or persons may be found as
 * often as its check digits allow: docs/GATE.md. */
static unsigned bar_of(const char *name)
{
    static const struct {
        const char *name;
        unsigned finds;
    } bars[] = {{"card_number", 200}, {"france_nir", 30}, {"phone", 40}};
    for (size_t i = 0; i < sizeof bars / sizeof *bars; i++)
        if (strcmp(bars[i].name, name) == 0)
            return bars[i].finds;
    return 10;
}

struct seen {
    size_t rows, wrong;
    uint64_t sum; /* of all figures */
};

static void check_figures(void *ctx, const struct rein_builtin_figures *f)
{
    struct seen *seen = ctx;
    seen->rows++;
    seen->sum = seen->sum * 31 + f->found + f->near_found;
    assert_ptr_equal(builtin_find(f->name), builtin_at(seen->rows - 1));
    assert_true(f->max_bytes > 0 && f->made > 0 && f->found == f->made && f->near_found == 0);
    for (unsigned kind = 0; kind < REIN_NOISES; kind++) {
        unsigned bar = bar_of(f->name) * (NOISE_BYTES >> 10) / 1024;
        seen->sum = seen->sum * 31 + f->noise[kind];
        if (f->noise[kind] <= bar)
            continue;
        print_error("%s: %u finds in %s, at most %u\n", f->name, f->noise[kind], rein_noise_name((enum rein_noise)kind),
                    bar);
        seen->wrong++;
    }
}

static void test_noise_has_next_to_nothing(void **state)
{
    struct seen first = {0}, again = {0};
    (void)state;
    assert_int_equal(rein_builtins_measure(20250302, 20, NOISE_BYTES, check_figures, &first), 0);
    assert_int_equal(rein_builtins_measure(20250302, 20, NOISE_BYTES, check_figures, &again), 0);
    assert_int_equal(first.wrong, 0);
    assert_true(first.rows > 40 && first.sum == again.sum);
}

/* What a folded view has lost cannot be searched in it. */
static void test_folded_rules_cannot_have_all(void **state)
{
    struct ruleset *rules;
    const char *why;
    (void)state;
    assert_int_equal(ruleset_new(&rules, 1 << 20), 0);
    for (size_t b = 0; builtin_at(b) != NULL; b++) {
        const struct rule_spec spec = {
            .id = "x", .channels = 1u << REIN_ANSWER, .builtin = builtin_at(b)->name, .folded = true};
        int rv = ruleset_add(rules, &spec, &why);
        if (rv != (builtin_at(b)->raw_only ? REIN_EPOLICY : 0))
            print_error("%s: %s\n", builtin_at(b)->name, why);
        assert_int_equal(rv, builtin_at(b)->raw_only ? REIN_EPOLICY : 0);
    }
    ruleset_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_samples_are_found_and_no_near_ones),
        cmocka_unit_test(test_folded_rules_find_samples),
        cmocka_unit_test(test_published_examples),
        cmocka_unit_test(test_noise_has_next_to_nothing),
        cmocka_unit_test(test_folded_rules_cannot_have_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
