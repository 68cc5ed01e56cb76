/* profile, shared, creds, settings: AWS's chain of options, environment and
 * files, each test in a home directory of its own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "aws/creds.h"
#include "aws/profile.h"
#include "aws/settings.h"
#include "aws/shared.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char home[64];

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", home, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **state)
{
	static const char *const variables[] = {
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
		"AWS_DEFAULT_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_REGION",
		"AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_MAX_ATTEMPTS",
		"AWS_CA_BUNDLE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	};
	char dir[128];

	(void)state;
	for (size_t i = 0; i < COUNT(variables); i++)
		unsetenv(variables[i]);
	strcpy(home, "/tmp/test_creds.XXXXXX");
	if (!mkdtemp(home))
		return -1;
	setenv("HOME", home, 1);
	snprintf(dir, sizeof(dir), "%s/.aws", home);
	return mkdir(dir, 0700);
}

static int tear_down(void **state)
{
	static const char *const names[] = { ".aws/credentials", ".aws/config", ".aws", "other",
	                                     "bundle" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", home, names[i]);
		remove(path);
	}
	return rmdir(home);
}

static char why[AWS_WHY_MAX];

static int load(const struct creds_options *o, const char *profile, struct creds **ret)
{
	static const struct creds_options none;
	struct shared shared;
	int err;

	why[0] = '\0';
	err = shared_open(profile, NULL, why, &shared);
	if (err)
		return err;
	err = creds_load(o ? o : &none, &shared, NULL, why, ret);
	shared_done(&shared);
	return err;
}

static void assert_creds(const struct creds_options *o, const char *profile, const char *id,
                         const char *secret, const char *token, const char *source)
{
	struct creds *c;

	if (load(o, profile, &c) != 0)
		fail_msg("%s", why);
	assert_string_equal(c->access_key_id, id);
	assert_string_equal(c->secret_access_key, secret);
	if (token)
		assert_string_equal(c->session_token, token);
	else
		assert_null(c->session_token);
	assert_string_equal(c->source, source);
	creds_unref(c);
}

static void assert_refused(const struct creds_options *o, const char *profile, int err,
                           const char *part)
{
	struct creds *c;

	assert_int_equal(load(o, profile, &c), err);
	if (!strstr(why, part))
		fail_msg("'%s' isn't in '%s'", part, why);
}

static const char two_profiles[] =
	"[default]\naws_access_key_id = FILE\naws_secret_access_key = file/secret+=\n"
	"[work]\naws_access_key_id=WORK\naws_secret_access_key=work\naws_session_token=token\n";

static void options_come_before_the_environment(void **state)
{
	const struct creds_options o = { .access_key_id = "OPTION", .secret_access_key = "option" };

	(void)state;
	setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "env", 1);
	assert_creds(&o, NULL, "OPTION", "option", NULL, "options");
}

static void the_environment_comes_before_the_files(void **state)
{
	(void)state;
	write_file(".aws/credentials", two_profiles);
	setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "env", 1);
	assert_creds(NULL, NULL, "ENV", "env", NULL, "environment");
	setenv("AWS_SESSION_TOKEN", "t", 1);
	assert_creds(NULL, NULL, "ENV", "env", "t", "environment");
	/* As in botocore, the variable doesn't set the keys beside it aside. */
	setenv("AWS_PROFILE", "work", 1);
	assert_creds(NULL, NULL, "ENV", "env", "t", "environment");
}

static void a_named_profile_sets_the_environment_aside(void **state)
{
	(void)state;
	write_file(".aws/credentials", two_profiles);
	setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "env", 1);
	assert_creds(NULL, "work", "WORK", "work", "token", "shared credentials file");
	assert_creds(NULL, "default", "FILE", "file/secret+=", NULL, "shared credentials file");
}

static void empty_variables_are_not_set(void **state)
{
	(void)state;
	write_file(".aws/credentials", two_profiles);
	setenv("AWS_ACCESS_KEY_ID", "", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "", 1);
	setenv("AWS_PROFILE", "", 1);
	assert_creds(NULL, NULL, "FILE", "file/secret+=", NULL, "shared credentials file");
	setenv("AWS_PROFILE", "work", 1);
	assert_creds(NULL, NULL, "WORK", "work", "token", "shared credentials file");
}

static void the_config_file_comes_last(void **state)
{
	(void)state;
	write_file(".aws/config", "[default]\naws_access_key_id=A\naws_secret_access_key=a\n"
	           "[profile work]\naws_access_key_id=B\naws_secret_access_key=b\n"
	           "[profile \"two words\"]\naws_access_key_id=C\naws_secret_access_key=c\n"
	           "[bare]\naws_access_key_id=D\naws_secret_access_key=d\n");
	assert_creds(NULL, NULL, "A", "a", NULL, "shared config file");
	assert_creds(NULL, "work", "B", "b", NULL, "shared config file");
	assert_creds(NULL, "two words", "C", "c", NULL, "shared config file");
	assert_refused(NULL, "bare", -EINVAL, "'bare'");
	write_file(".aws/credentials", two_profiles);
	assert_creds(NULL, "work", "WORK", "work", "token", "shared credentials file");
}

static void files_may_stand_elsewhere(void **state)
{
	char path[128];

	(void)state;
	write_file("other", two_profiles);
	snprintf(path, sizeof(path), "%s/other", home);
	setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
	assert_creds(NULL, "work", "WORK", "work", "token", "shared credentials file");
	setenv("AWS_SHARED_CREDENTIALS_FILE", "~/other", 1);
	assert_creds(NULL, "work", "WORK", "work", "token", "shared credentials file");
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null", 1);
	assert_refused(NULL, NULL, -EACCES, "/dev/null");
}

static void a_missing_profile_is_named(void **state)
{
	(void)state;
	write_file(".aws/credentials", two_profiles);
	assert_refused(NULL, "wrok", -EINVAL, "'wrok'");
	setenv("AWS_PROFILE", "nope", 1);
	assert_refused(NULL, NULL, -EINVAL, "'nope'");
}

/* Credentials live longer than what they were read from. */
static void credentials_own_their_strings(void **state)
{
	char id[] = "ID", secret[] = "secret", token[] = "token", source[] = "somewhere";
	struct creds *c = creds_new(id, secret, token, source, 1700000000);
	struct creds_options o = { .access_key_id = id, .profile = source }, copy;

	(void)state;
	assert_non_null(c);
	assert_int_equal(creds_options_copy(&o, &copy), 0);
	id[0] = secret[0] = token[0] = source[0] = 'X';
	assert_string_equal(c->access_key_id, "ID");
	assert_string_equal(c->secret_access_key, "secret");
	assert_string_equal(c->session_token, "token");
	assert_string_equal(c->source, "somewhere");
	assert_true(c->expires_s == 1700000000);
	assert_string_equal(copy.access_key_id, "ID");
	assert_string_equal(copy.profile, "somewhere");
	assert_null(copy.secret_access_key);
	creds_options_done(&copy);
	creds_unref(c);
	setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "env", 1);
	assert_int_equal(load(NULL, NULL, &c), 0);
	assert_true(c->expires_s == CREDS_FOREVER);
	creds_unref(c);
}

static void half_a_pair_is_refused(void **state)
{
	const struct creds_options o = { .access_key_id = "ID" };
	const struct creds_options p = { .secret_access_key = "secret" };

	(void)state;
	assert_refused(&o, NULL, -EINVAL, "access_key_id is there without secret_access_key");
	assert_refused(&p, NULL, -EINVAL, "secret_access_key is there without access_key_id");
	write_file(".aws/credentials", "[default]\naws_access_key_id=A\n");
	assert_refused(NULL, NULL, -EINVAL, "without aws_secret_access_key");
	setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
	assert_refused(NULL, NULL, -EINVAL, "without AWS_SECRET_ACCESS_KEY");
}

static void keys_with_line_breaks_are_refused_and_not_shown(void **state)
{
	(void)state;
	setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "hush\nX-Evil: 1", 1);
	assert_refused(NULL, NULL, -EINVAL, "a line break");
	assert_null(strstr(why, "hush"));
}

static void none_anywhere_names_the_places(void **state)
{
	(void)state;
	assert_refused(NULL, NULL, -EACCES, "AWS_ACCESS_KEY_ID");
	assert_non_null(strstr(why, ".aws/credentials"));
	assert_non_null(strstr(why, "no_sign_request"));
}

static void a_role_isnt_silently_replaced_by_keys(void **state)
{
	(void)state;
	write_file(".aws/credentials", two_profiles);
	write_file(".aws/config", "[profile work]\nrole_arn=arn:aws:iam::1:role/x\n"
	           "source_profile=default\n");
	assert_refused(NULL, "work", -ENOTSUP, "role_arn");
	assert_creds(NULL, "default", "FILE", "file/secret+=", NULL, "shared credentials file");
}

static void a_bad_line_is_named(void **state)
{
	(void)state;
	write_file(".aws/credentials", "# fine\n[default]\naws_access_key_id\n");
	assert_refused(NULL, NULL, -EINVAL, ".aws/credentials, line 3");
}

static void changed_files_give_other_credentials(void **state)
{
	struct creds *a;
	struct creds *b;
	struct creds *c;

	(void)state;
	write_file(".aws/credentials", two_profiles);
	assert_int_equal(load(NULL, "work", &a), 0);
	assert_int_equal(load(NULL, "work", &b), 0);
	assert_true(creds_equal(a, b));
	write_file(".aws/credentials",
	           "[work]\naws_access_key_id=WORK\naws_secret_access_key=work\n"
	           "aws_session_token=new\n");
	assert_int_equal(load(NULL, "work", &c), 0);
	assert_false(creds_equal(a, c));
	creds_unref(a);
	creds_unref(b);
	creds_unref(c);
}

/* ---- the dialect ---- */

static void assert_option(const char *text, const char *section, const char *option,
                          const char *value)
{
	struct profile_file *f;
	unsigned line = 0;

	if (profile_parse(text, strlen(text), &f, &line) != 0)
		fail_msg("line %u of %s", line, text);
	if (value)
		assert_string_equal(profile_get(f, section, option), value);
	else
		assert_null(profile_get(f, section, option));
	profile_free(f);
}

static void the_dialect_is_configparsers(void **state)
{
	(void)state;
	assert_option("[a]\nKey = v\n", "a", "key", "v");
	assert_option("[a]\nk=v;w # x\n", "a", "k", "v;w # x");
	assert_option("[a]\nk = a=b:c\n", "a", "k", "a=b:c");
	assert_option("[a]\nk: v\n", "a", "k", "v");
	assert_option("\xef\xbb\xbf[a]\r\nk = v\r\n", "a", "k", "v");
	assert_option("[a]\n  k = v\n  l = w\n", "a", "l", "w");
	assert_option("[a]\ns3 =\n  region = nested\nregion = real\n", "a", "region", "real");
	assert_option("[a]\ns3 =\n  region = nested\n", "a", "region", NULL);
	assert_option("[a]\ns3 =\n  region = nested\nx = y\n", "a", "s3.region", "nested");
	assert_option("[a]\ns3 = x\n  region = nested\n", "a", "s3.region", NULL);
	assert_option("[a]\ns3 =\n  region = nested\n[b]\n  region = other\n", "b", "s3.region", NULL);
	assert_option("[a]\nk = 1\n[b]\nk = 2\n[a]\nk = 3\n", "a", "k", "3");
	assert_option("[ profile   x ]\nk = v", "profile x", "k", "v");
	assert_option("; c\n# d\n\n[a]\n;k = v\n", "a", "k", NULL);
	assert_option("", "a", "k", NULL);
}

/* SSO writes such names, STS such tokens. */
static void long_names_and_values_are_kept_whole(void **state)
{
	char section[300];
	char *value = malloc(10001);
	char *text = malloc(20000);

	(void)state;
	memset(value, 'v', 10000);
	value[10000] = '\0';
	snprintf(section, sizeof(section), "profile %.*s", 280, value);
	snprintf(text, 20000, "[%s]\naws_session_token = %s\n", section, value);
	assert_option(text, section, "aws_session_token", value);
	section[100] = '\0';
	assert_option(text, section, "aws_session_token", NULL);
	free(text);
	free(value);
}

static void bad_files_are_refused_at_their_line(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		unsigned line;
	} bad[] = {
		{ "k = v\n", 6, 1 },      { "[a]\n= v\n", 8, 2 },     { "[a]\nk\n", 6, 2 },
		{ "[a\nk = v\n", 9, 1 },  { "[a]\nk = \0\n", 9, 2 },
	};
	struct profile_file *f;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		unsigned line = 99;

		assert_int_equal(profile_parse(bad[i].text, bad[i].len, &f, &line), -EINVAL);
		assert_int_equal(line, bad[i].line);
	}
}

/* ---- settings ---- */

static struct settings settings;

static int load_settings(const char *region, const char *endpoint, unsigned attempts,
                         const char *profile)
{
	struct shared shared;
	int err = shared_open(profile, NULL, why, &shared);

	if (err)
		return err;
	err = settings_load(region, endpoint, attempts, &shared, why, &settings);
	shared_done(&shared);
	return err;
}

static void defaults_are_awss(void **state)
{
	(void)state;
	assert_int_equal(load_settings(NULL, NULL, 0, NULL), 0);
	assert_string_equal(settings.region, "us-east-1");
	assert_null(settings.endpoint_url);
	assert_null(settings.ca_bundle);
	assert_int_equal(settings.max_attempts, 4);
	settings_done(&settings);
}

static void settings_come_from_option_environment_profile(void **state)
{
	(void)state;
	write_file(".aws/config", "[default]\nregion = eu-west-1\nendpoint_url = http://file\n"
	           "max_attempts = 7\n");
	assert_int_equal(load_settings(NULL, NULL, 0, NULL), 0);
	assert_string_equal(settings.region, "eu-west-1");
	assert_string_equal(settings.endpoint_url, "http://file");
	assert_int_equal(settings.max_attempts, 7);
	settings_done(&settings);
	setenv("AWS_DEFAULT_REGION", "eu-west-2", 1);
	setenv("AWS_ENDPOINT_URL", "http://any", 1);
	setenv("AWS_MAX_ATTEMPTS", "9", 1);
	assert_int_equal(load_settings(NULL, NULL, 0, NULL), 0);
	assert_string_equal(settings.region, "eu-west-2");
	assert_string_equal(settings.endpoint_url, "http://any");
	assert_int_equal(settings.max_attempts, 9);
	settings_done(&settings);
	setenv("AWS_REGION", "eu-west-3", 1);
	setenv("AWS_ENDPOINT_URL_S3", "http://s3", 1);
	assert_int_equal(load_settings(NULL, NULL, 2, NULL), 0);
	assert_string_equal(settings.region, "eu-west-3");
	assert_string_equal(settings.endpoint_url, "http://s3");
	assert_int_equal(settings.max_attempts, 2);
	settings_done(&settings);
	setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
	assert_int_equal(load_settings("eu-north-1", NULL, 0, NULL), 0);
	assert_string_equal(settings.region, "eu-north-1");
	assert_null(settings.endpoint_url);
	settings_done(&settings);
	assert_int_equal(load_settings(NULL, "http://option", 0, NULL), 0);
	assert_string_equal(settings.endpoint_url, "http://option");
	settings_done(&settings);
}

static void a_services_section_gives_the_endpoint(void **state)
{
	(void)state;
	write_file(".aws/config", "[default]\nservices = mine\nendpoint_url = http://profile\n"
	           "[services  \"mine\"]\nec2 =\n  endpoint_url = http://ec2\n"
	           "s3 =\n  endpoint_url = http://services\n  addressing_style = path\n");
	assert_int_equal(load_settings(NULL, NULL, 0, NULL), 0);
	assert_string_equal(settings.endpoint_url, "http://services");
	assert_int_equal(settings.style, ENDPOINT_AUTO);
	settings_done(&settings);
	setenv("AWS_ENDPOINT_URL", "http://any", 1);
	assert_int_equal(load_settings(NULL, NULL, 0, NULL), 0);
	assert_string_equal(settings.endpoint_url, "http://any");
	settings_done(&settings);
	unsetenv("AWS_ENDPOINT_URL");
	write_file(".aws/config", "[default]\nservices = mine\nendpoint_url = http://profile\n"
	           "[services mine]\nec2 =\n  endpoint_url = http://ec2\n");
	assert_int_equal(load_settings(NULL, NULL, 0, NULL), 0);
	assert_string_equal(settings.endpoint_url, "http://profile");
	settings_done(&settings);
	write_file(".aws/config", "[default]\nservices = yours\n[services mine]\n");
	assert_int_equal(load_settings(NULL, NULL, 0, NULL), -EINVAL);
	assert_non_null(strstr(why, "there is no [services yours] in "));
}

static void the_profile_may_choose_the_addressing_style(void **state)
{
	static const struct {
		const char *value;
		enum endpoint_style style;
	} styles[] = { { "path", ENDPOINT_PATH }, { "virtual", ENDPOINT_VIRTUAL }, { "auto", ENDPOINT_AUTO } };
	char text[128];

	(void)state;
	for (size_t i = 0; i < COUNT(styles); i++) {
		snprintf(text, sizeof(text), "[default]\ns3 =\n    max_concurrent_requests = 20\n"
		         "    addressing_style = %s\nregion = x\n", styles[i].value);
		write_file(".aws/config", text);
		assert_int_equal(load_settings(NULL, NULL, 0, NULL), 0);
		assert_int_equal(settings.style, styles[i].style);
		assert_string_equal(settings.region, "x");
		settings_done(&settings);
	}
	write_file(".aws/config", "[default]\ns3 =\n  addressing_style = sideways\n");
	assert_int_equal(load_settings(NULL, NULL, 0, NULL), -EINVAL);
	assert_non_null(strstr(why, "sideways"));
}

static void attempts_must_be_a_number(void **state)
{
	static const char *const bad[] = { "0", "-1", "many", "101", "4.5" };

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		setenv("AWS_MAX_ATTEMPTS", bad[i], 1);
		assert_int_equal(load_settings(NULL, NULL, 0, NULL), -EINVAL);
		assert_non_null(strstr(why, "AWS_MAX_ATTEMPTS"));
		assert_non_null(strstr(why, bad[i]));
	}
}

static void the_ca_bundle_must_be_there(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/bundle", home);
	setenv("AWS_CA_BUNDLE", path, 1);
	assert_int_equal(load_settings(NULL, NULL, 0, NULL), -ENOENT);
	assert_non_null(strstr(why, path));
	write_file("bundle", "");
	assert_int_equal(load_settings(NULL, NULL, 0, NULL), 0);
	assert_string_equal(settings.ca_bundle, path);
	settings_done(&settings);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(options_come_before_the_environment),
		TEST(the_environment_comes_before_the_files),
		TEST(a_named_profile_sets_the_environment_aside),
		TEST(empty_variables_are_not_set),
		TEST(the_config_file_comes_last),
		TEST(files_may_stand_elsewhere),
		TEST(a_missing_profile_is_named),
		TEST(credentials_own_their_strings),
		TEST(half_a_pair_is_refused),
		TEST(keys_with_line_breaks_are_refused_and_not_shown),
		TEST(none_anywhere_names_the_places),
		TEST(a_role_isnt_silently_replaced_by_keys),
		TEST(a_bad_line_is_named),
		TEST(changed_files_give_other_credentials),
		TEST(the_dialect_is_configparsers),
		TEST(long_names_and_values_are_kept_whole),
		TEST(bad_files_are_refused_at_their_line),
		TEST(defaults_are_awss),
		TEST(settings_come_from_option_environment_profile),
		TEST(a_services_section_gives_the_endpoint),
		TEST(the_profile_may_choose_the_addressing_style),
		TEST(attempts_must_be_a_number),
		TEST(the_ca_bundle_must_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
