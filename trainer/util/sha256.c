#include "util/sha256.h"

#include <errno.h>
#include <stdio.h>

#include <openssl/evp.h>

#include "util/file.h"

int sha256_parts(const struct file_part *parts, size_t n, char ret_hex[SHA256_HEX_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned size = 0;
	int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; i < n && ok; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, digest, &size) == 1;
	EVP_MD_CTX_free(ctx);
	for (unsigned i = 0; i < size && ok; i++)
		sprintf(ret_hex + 2 * i, "%02x", digest[i]);
	return ok ? 0 : -ENOMEM;
}

int sha256_hex(const void *data, size_t len, char ret_hex[SHA256_HEX_SIZE])
{
	const struct file_part whole = { data, len };

	return sha256_parts(&whole, 1, ret_hex);
}
