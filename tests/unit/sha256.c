#include "base/sha256.h"

#include "data.h"
#include "tap.h"

static void is_digest(struct span text, const char *want, const char *what)
{
	char hex[SHA256_HEX];

	sha256_hex(text, hex);
	is_str(hex, want, "%s", what);
}

/* The examples of NIST (FIPS 180-4's SHA256.pdf, and SHA256ShortMsg.rsp of the CAVP). */
static void test_vectors(void)
{
	is_digest(span_str(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	          "of nothing");
	is_digest(span_str("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	          "one block");
	is_digest(span_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
	          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
	          "56 bytes: the length needs a second block");
	is_digest(span_str("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
	                   "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
	          "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1", "112 bytes");
	is_digest((struct span){ "\xd3", 1 },
	          "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1", "a byte");
	is_digest((struct span){ "\x11\xaf", 2 },
	          "5ca7133fa735326081558ac312c620eeca9970d1e70a4b95533d956f072d1f98", "two bytes");
}

static void test_million(void)
{
	struct sha256 s = SHA256_INIT;
	char hex[SHA256_HEX];

	for (int i = 0; i < 100000; i++)
		sha256_feed(&s, span_str("aaaaaaaaaa"));
	sha256_end(&s, hex);
	is_str(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
	       "a million a, in tens");
}

/* Texts of each length around the blocks' ends: in any pieces the digest is that of the whole. */
static void test_pieces(void)
{
	char text[300], whole[SHA256_HEX], parts[SHA256_HEX];
	uint64_t seed = 7;
	int bad = 0;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)rnd(&seed);
	for (size_t n = 0; n <= sizeof(text); n++) {
		sha256_hex((struct span){ text, n }, whole);
		for (size_t step = 1; step < 140; step += step < 5 ? 1 : 21) {
			struct sha256 s = SHA256_INIT;

			for (size_t at = 0; at < n; at += step) {
				struct span piece = exact(
				        (struct span){ text + at, step < n - at ? step : n - at });

				sha256_feed(&s, piece);
				drop(piece);
			}
			sha256_end(&s, parts);
			if (strcmp(whole, parts) != 0 && !bad++)
				tap_note("%zu bytes in pieces of %zu", n, step);
		}
	}
	is_int(bad, 0, "in pieces of any size it is the same");
}

static void test_valid(void)
{
	char hex[SHA256_HEX];

	sha256_hex(span_str("x"), hex);
	ok(sha256_valid(span_str(hex)), "a digest");
	ok(!sha256_valid((struct span){ hex, 63 }), "a digit less");
	ok(!sha256_valid(span_str("")), "nothing");
	hex[5] = 'A';
	ok(!sha256_valid(span_str(hex)), "a capital");
	hex[5] = '/';
	ok(!sha256_valid(span_str(hex)), "a slash");
	hex[5] = 'g';
	ok(!sha256_valid(span_str(hex)), "no digit");
	hex[5] = '\0';
	ok(!sha256_valid((struct span){ hex, 64 }), "a NUL");
}

int main(void)
{
	test_vectors();
	test_million();
	test_pieces();
	test_valid();
	return tap_end();
}
