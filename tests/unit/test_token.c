/* token: what is accepted, and every way of forging one that we know. Tokens are signed here by libsodium, not libjwt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "token.h"

#define ANNA "0190a5e2-0000-7000-8000-00000000000a"
#define SESSION "0190a5e2-0000-7000-8000-00000000000b"
#define HS256 "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

enum { NOW_S = 1770000000 };

static const struct token_key key = {.bytes = {1, 2, 3, 4, 5, 6, 7, 8}};

static struct arena arena;

static const char *
base64url(const void *bytes, size_t len)
{
	char *text = arena_alloc(&arena, sodium_base64_encoded_len(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING));

	return sodium_bin2base64(text, len * 2 + 4, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* A token of these two JSON texts, signed with the right key by an algorithm that is not ours. */
static const char *
sign_hs512(const char *claims)
{
	static const char header[] = "{\"alg\":\"HS512\",\"typ\":\"JWT\"}";
	const char *signed_part =
		arena_printf(&arena, "%s.%s", base64url(header, strlen(header)), base64url(claims, strlen(claims)));
	unsigned char mac[crypto_auth_hmacsha512_BYTES];

	crypto_auth_hmacsha512(mac, (const unsigned char *)signed_part, strlen(signed_part), key.bytes);
	return arena_printf(&arena, "%s.%s", signed_part, base64url(mac, sizeof mac));
}

/* A token of these two JSON texts, signed by HMAC-SHA-256 with `signing_key`. */
static const char *
sign(const char *header, const char *claims, const struct token_key *signing_key)
{
	const char *signed_part =
		arena_printf(&arena, "%s.%s", base64url(header, strlen(header)), base64url(claims, strlen(claims)));
	unsigned char mac[crypto_auth_hmacsha256_BYTES];

	crypto_auth_hmacsha256(mac, (const unsigned char *)signed_part, strlen(signed_part), signing_key->bytes);
	return arena_printf(&arena, "%s.%s", signed_part, base64url(mac, sizeof mac));
}

static const char *
claims_of(const char *iss, const char *aud, const char *sub, const char *sid, const char *times)
{
	return arena_printf(&arena, "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s\",\"sid\":\"%s\",%s}", iss, aud, sub,
			    sid, times);
}

static const char *
good_claims(void)
{
	return claims_of("stonechat", "stonechat", ANNA, SESSION, "\"iat\":1770000000,\"exp\":1770000600");
}

/* NULL: accepted, else the code of the refusal. */
static const char *
refusal(const char *token, int64_t now_s)
{
	struct token_claims claims = {.user_id = "untouched"};
	struct fault fault;
	enum status status = token_verify(&key, token, now_s, &claims, &fault);

	if (status == OK)
		return NULL;
	assert_int_equal(status, ERR_UNAUTHORIZED);
	assert_string_equal(claims.user_id, "untouched");
	return fault.code;
}

static void
what_we_make_we_accept_until_it_expires(void **state)
{
	struct token_claims made = {ANNA, SESSION, NOW_S, NOW_S + 600};
	struct token_claims read;
	char token[TOKEN_SIZE];

	(void)state;
	assert_int_equal(token_make(&key, &made, token), OK);
	assert_int_equal(token_verify(&key, token, NOW_S + 599, &read, NULL), OK);
	assert_string_equal(read.user_id, ANNA);
	assert_string_equal(read.session_id, SESSION);
	assert_int_equal(read.issued_at_s, NOW_S);
	assert_int_equal(read.expires_at_s, NOW_S + 600);
	assert_string_equal(refusal(token, NOW_S + 600), "token_expired");
	assert_string_equal(refusal(token, NOW_S - 61), "token_invalid"); /* issued too far ahead */
	assert_null(refusal(token, NOW_S - 60));
}

static void
a_verified_token_is_known_until_it_expires(void **state)
{
	struct token_claims made = {ANNA, SESSION, NOW_S, NOW_S + 600};
	struct token_cache cache = {0};
	struct token_claims read;
	struct fault fault = {0};
	char token[TOKEN_SIZE], forged[TOKEN_SIZE];

	(void)state;
	assert_int_equal(token_make(&key, &made, token), OK);
	for (int i = 0; i < 2; i++) {
		memset(&read, 0, sizeof read);
		assert_int_equal(token_verify_cached(&cache, &key, token, NOW_S + 1, &read, NULL), OK);
		assert_string_equal(read.user_id, ANNA);
		assert_string_equal(read.session_id, SESSION);
	}
	assert_int_equal(token_verify_cached(&cache, &key, token, NOW_S + 600, &read, &fault), ERR_UNAUTHORIZED);
	assert_string_equal(fault.code, "token_expired");

	memcpy(forged, token, sizeof forged); /* another first letter, the same place in the cache */
	forged[0] = 'x';
	assert_int_equal(token_verify_cached(&cache, &key, forged, NOW_S, &read, &fault), ERR_UNAUTHORIZED);
	assert_int_equal(token_verify_cached(&cache, &key, "", NOW_S, &read, &fault), ERR_UNAUTHORIZED);
	assert_int_equal(token_verify_cached(&cache, &key, "x", NOW_S, &read, &fault), ERR_UNAUTHORIZED);
	assert_int_equal(token_verify_cached(&cache, &key, token, NOW_S, &read, NULL), OK);
}

static void
a_token_signed_elsewhere_by_the_standard_is_accepted(void **state)
{
	(void)state;
	assert_null(refusal(sign(HS256, good_claims(), &key), NOW_S));
}

static void
a_changed_token_is_refused(void **state)
{
	const char *good = sign(HS256, good_claims(), &key);
	size_t len = strlen(good);

	(void)state;
	/* The last letter of a signature holds two bits that mean nothing; all others count. */
	for (size_t i = 0; i < len - 1; i++) {
		char *changed = arena_strdup(&arena, good);

		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		assert_string_equal(refusal(changed, NOW_S), "token_invalid");
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_string_equal(refusal(arena_memdup(&arena, good, cut), NOW_S), "token_invalid");
	assert_string_equal(refusal(arena_printf(&arena, "%s.x", good), NOW_S), "token_invalid");
	assert_string_equal(refusal(arena_printf(&arena, "%s%600s", good, ""), NOW_S), "token_invalid");
}

static void
forgeries_are_refused(void **state)
{
	static const struct token_key other_key = {.bytes = {9}};
	static const char *const headers[] = {
		"{\"alg\":\"none\",\"typ\":\"JWT\"}",
		"{\"alg\":\"None\"}",
		"{\"alg\":\"HS512\"}",
		"{\"alg\":\"HS384\"}",
		"{\"alg\":\"RS256\"}",
		"{\"alg\":\"ES256\"}",
		"{\"typ\":\"JWT\"}",
		"{}",
		"[]",
		"",
		"x",
	};
	const char *claims = good_claims();

	(void)state;
	assert_string_equal(refusal(sign(HS256, claims, &other_key), NOW_S), "token_invalid");
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
		const char *unsigned_token = arena_printf(&arena, "%s.%s.", base64url(headers[i], strlen(headers[i])),
							  base64url(claims, strlen(claims)));

		assert_string_equal(refusal(sign(headers[i], claims, &key), NOW_S), "token_invalid");
		assert_string_equal(refusal(unsigned_token, NOW_S), "token_invalid");
		assert_string_equal(refusal(arena_memdup(&arena, unsigned_token, strlen(unsigned_token) - 1), NOW_S),
				    "token_invalid");
	}
	assert_string_equal(refusal(sign_hs512(claims), NOW_S), "token_invalid");
	assert_string_equal(refusal("", NOW_S), "token_invalid");
	assert_string_equal(refusal("..", NOW_S), "token_invalid");
	assert_string_equal(refusal("a.b.c.d", NOW_S), "token_invalid");
	assert_string_equal(refusal(NULL, NOW_S), "token_invalid");
}

static void
every_claim_is_checked(void **state)
{
	static const char times[] = "\"iat\":1770000000,\"exp\":1770000600";
	static const struct {
		const char *iss, *aud, *sub, *sid, *times;
		const char *code; /* NULL: accepted */
	} cases[] = {
		{"stonechat", "stonechat", ANNA, SESSION, times, NULL},
		{"other", "stonechat", ANNA, SESSION, times, "token_invalid"},
		{"stonechat", "other", ANNA, SESSION, times, "token_invalid"},
		{"stonechat", "stonechat", "anna", SESSION, times, "token_invalid"},
		{"stonechat", "stonechat", ANNA, "", times, "token_invalid"},
		{"stonechat", "stonechat", ANNA, SESSION, "\"iat\":1770000000", "token_invalid"},
		{"stonechat", "stonechat", ANNA, SESSION, "\"exp\":1770000600", "token_invalid"},
		{"stonechat", "stonechat", ANNA, SESSION, "\"iat\":1770000000,\"exp\":\"1770000600\"", "token_invalid"},
		{"stonechat", "stonechat", ANNA, SESSION, "\"iat\":1770000000,\"exp\":1e12", "token_invalid"},
		{"stonechat", "stonechat", ANNA, SESSION, "\"iat\":1770000061,\"exp\":1770000600", "token_invalid"},
		{"stonechat", "stonechat", ANNA, SESSION, "\"iat\":\"1770000000\",\"exp\":1770000600", "token_invalid"},
		{"stonechat", "stonechat", ANNA, SESSION, "\"iat\":true,\"exp\":1770000600", "token_invalid"},
		{"stonechat", "stonechat", ANNA, SESSION, "\"iat\":1,\"exp\":2", "token_expired"},
		{"stonechat", "stonechat", ANNA, SESSION, "\"iat\":1769999000,\"exp\":1770000000", "token_expired"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *claims = claims_of(cases[i].iss, cases[i].aud, cases[i].sub, cases[i].sid, cases[i].times);
		const char *code = refusal(sign(HS256, claims, &key), NOW_S);

		if (cases[i].code == NULL)
			assert_null(code);
		else
			assert_string_equal(code, cases[i].code);
	}
	assert_string_equal(refusal(sign(HS256, "{}", &key), NOW_S), "token_invalid");
	assert_string_equal(refusal(sign(HS256, "[]", &key), NOW_S), "token_invalid");
	assert_string_equal(refusal(sign(HS256, "", &key), NOW_S), "token_invalid");
}

static void
write_key(const char *data, size_t len, mode_t mode)
{
	int fd = open(arena_printf(&arena, "%s/keys/token.key", data), O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write(fd, arena_alloc(&arena, len + 1), len), (ssize_t)len);
	close(fd);
}

static void
key_is_made_once_and_kept(void **state)
{
	const char *data = *state;
	struct token_key one, other;
	struct stat info;

	assert_int_equal(token_key_load(data, &one, NULL), OK);
	assert_int_equal(token_key_load(data, &other, NULL), OK);
	assert_memory_equal(one.bytes, other.bytes, TOKEN_KEY_BYTES);
	assert_int_equal(stat(arena_printf(&arena, "%s/keys/token.key", data), &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(info.st_size, TOKEN_KEY_BYTES);
	assert_int_equal(stat(arena_printf(&arena, "%s/keys", data), &info), 0);
	assert_int_equal(info.st_mode & 0777, 0700);
}

struct starter {
	const char *data;
	pthread_barrier_t *barrier;
	struct token_key key;
	enum status status;
};

static void *
load_key(void *argument)
{
	struct starter *starter = argument;

	pthread_barrier_wait(starter->barrier);
	starter->status = token_key_load(starter->data, &starter->key, NULL);
	return NULL;
}

static void
programs_that_start_at_once_get_the_same_key(void **state)
{
	enum { N_STARTERS = 8 };
	const char *folder = arena_printf(&arena, "%s/keys", (const char *)*state);
	struct starter starters[N_STARTERS];
	pthread_t threads[N_STARTERS];
	pthread_barrier_t barrier;
	struct dirent *entry;
	DIR *entries;

	pthread_barrier_init(&barrier, NULL, N_STARTERS);
	for (int i = 0; i < N_STARTERS; i++) {
		starters[i] = (struct starter){.data = *state, .barrier = &barrier};
		assert_int_equal(pthread_create(&threads[i], NULL, load_key, &starters[i]), 0);
	}
	for (int i = 0; i < N_STARTERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(starters[i].status, OK);
		assert_memory_equal(starters[i].key.bytes, starters[0].key.bytes, TOKEN_KEY_BYTES);
	}
	pthread_barrier_destroy(&barrier);
	entries = opendir(folder);
	while ((entry = readdir(entries)) != NULL)
		assert_true(entry->d_name[0] == '.' || strcmp(entry->d_name, "token.key") == 0);
	closedir(entries);
}

static void
unfit_keys_are_refused(void **state)
{
	static const struct {
		size_t len;
		mode_t mode;
		const char *said; /* NULL: accepted */
	} cases[] = {
		{32, 0600, NULL},
		{32, 0400, NULL},
		{32, 0640, "can be read by others"},
		{32, 0604, "can be read by others"},
		{31, 0600, "is not 32 bytes long"},
		{33, 0600, "is not 32 bytes long"},
		{0, 0600, "is not 32 bytes long"},
	};
	const char *data = *state;
	struct token_key made;

	assert_int_equal(token_key_load(data, &made, NULL), OK);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fault fault;
		enum status status;

		unlink(arena_printf(&arena, "%s/keys/token.key", data));
		write_key(data, cases[i].len, cases[i].mode);
		status = token_key_load(data, &made, &fault);
		assert_int_equal(status, cases[i].said == NULL ? OK : ERR_UNAVAILABLE);
		if (cases[i].said != NULL)
			assert_non_null(strstr(fault.detail, cases[i].said));
	}
}

static void
a_missing_data_folder_is_named(void **state)
{
	const char *data = arena_printf(&arena, "%s/nowhere", (const char *)*state);
	struct token_key made;
	struct fault fault;

	assert_int_equal(token_key_load(data, &made, &fault), ERR_UNAVAILABLE);
	assert_non_null(strstr(fault.detail, "/nowhere/keys/token.key, can't be made: No such file"));
}

static int
make_folder(void **state)
{
	*state = mkdtemp(arena_strdup(&arena, "/tmp/stonechat-token-XXXXXX"));
	return *state == NULL ? -1 : 0;
}

static int
remove_folder(void **state)
{
	const char *data = *state;

	unlink(arena_printf(&arena, "%s/keys/token.key", data));
	rmdir(arena_printf(&arena, "%s/keys", data));
	return rmdir(data);
}

static void
a_refresh_token_has_one_successor(void **state)
{
	static const struct token_key signing = {{1}}, other_key = {{2}};
	char first[TOKEN_REFRESH_SIZE], second[TOKEN_REFRESH_SIZE], again[TOKEN_REFRESH_SIZE];
	char hash[ID_SECRET_SIZE], family[ID_SECRET_SIZE], second_hash[ID_SECRET_SIZE], second_family[ID_SECRET_SIZE];

	(void)state;
	token_refresh_make(first);
	token_refresh_successor(&signing, first, second);
	token_refresh_successor(&signing, first, again);
	assert_string_equal(second, again);
	assert_int_equal(strlen(second), strlen(first));
	token_refresh_successor(&other_key, first, again);
	assert_string_not_equal(second, again); /* nobody without the key can tell */

	token_refresh_hash(first, hash, family);
	token_refresh_hash(second, second_hash, second_family);
	assert_string_equal(family, second_family);
	assert_string_not_equal(hash, second_hash);
	assert_string_not_equal(hash, family);
	token_refresh_make(again);
	token_refresh_hash(again, second_hash, second_family);
	assert_string_not_equal(family, second_family);
}

static void
what_is_no_refresh_token_does_no_harm(void **state)
{
	static const struct token_key signing = {{1}};
	const char *cases[] =
		{"", ".", "x", "a.b.c", arena_printf(&arena, "%04000d", 7), arena_printf(&arena, "%0300d.x", 7)};
	char successor[TOKEN_REFRESH_SIZE], hash[ID_SECRET_SIZE], family[ID_SECRET_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		token_refresh_successor(&signing, cases[i], successor);
		token_refresh_hash(cases[i], hash, family);
		assert_true(strlen(successor) < TOKEN_REFRESH_SIZE);
		assert_int_equal(strlen(hash), ID_SECRET_SIZE - 1);
	}
}

static int
finish(void **state)
{
	(void)state;
	arena_finish(&arena);
	return 0;
}

static void
a_personal_token_shows_what_it_is(void **state)
{
	char token[TOKEN_PERSONAL_SIZE], other[TOKEN_PERSONAL_SIZE], prefix[TOKEN_PERSONAL_PREFIX_SIZE];

	(void)state;
	token_personal_make(other, prefix);
	token_personal_make(token, prefix);
	assert_string_not_equal(token, other);
	assert_int_equal(strlen(prefix), strlen("stonechat_pat_") + 8);
	assert_memory_equal(token, prefix, strlen(prefix));
	assert_int_equal(token[strlen(prefix)], '_');
	assert_int_equal(strlen(token), strlen(prefix) + 1 + 43);
	assert_true(token_is_personal(token));
	assert_false(token_is_personal("stonechat_pa"));
	assert_false(token_is_personal("eyJhbGciOiJIUzI1NiJ9.e30.c2ln"));
}

#define in_fresh_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_we_make_we_accept_until_it_expires),
		cmocka_unit_test(a_verified_token_is_known_until_it_expires),
		cmocka_unit_test(a_token_signed_elsewhere_by_the_standard_is_accepted),
		cmocka_unit_test(a_changed_token_is_refused),
		cmocka_unit_test(forgeries_are_refused),
		cmocka_unit_test(every_claim_is_checked),
		cmocka_unit_test(a_refresh_token_has_one_successor),
		cmocka_unit_test(what_is_no_refresh_token_does_no_harm),
		cmocka_unit_test(a_personal_token_shows_what_it_is),
		in_fresh_folder(key_is_made_once_and_kept),
		in_fresh_folder(programs_that_start_at_once_get_the_same_key),
		in_fresh_folder(unfit_keys_are_refused),
		in_fresh_folder(a_missing_data_folder_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, finish);
}
