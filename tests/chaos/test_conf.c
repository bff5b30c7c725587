/* SPDX-License-Identifier: ISC */
/*
 * conf: configurations are read as nats-server reads them, with the place of
 * each value, and written so that they are read again as the same.
 */
#include "tests/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chaos/cluster/local/conf.h"
#include "proto/base/file.h"
#include "proto/base/text.h"

static struct buf written;

/* 0 with what was written as a text, or -errno with c->why. */
static int
write_tree(struct conf *c)
{
	int err;

	buf_fini(&written);
	buf_init(&written, CONF_WRITE_MAX);
	err = conf_write(c, &written);
	if (err == 0)
		err = buf_append(&written, "", 1);
	return err;
}

static const char *
text_of(void)
{
	return (const char *)buf_data(&written);
}

static const struct {
	const char *in, *out;
} good[] = {
    {"", ""},
    {"\n # nothing\n // at all", ""},
    /* separators and ends */
    {"a: 1", "a: 1 # t:1\n"},
    {"a = 1\nb 2", "a: 1 # t:1\nb: 2 # t:2\n"},
    {"a\n: 1", "a: 1 # t:1\n"},
    {"a: 1; b: 2, c: 3\nd: 4",
	"a: 1 # t:1\nb: 2 # t:1\nc: 3 # t:1\nd: 4 # t:2\n"},
    {"a: 1 # x\nb: 2 // y\nc: 3", "a: 1 # t:1\nb: 2 # t:2\nc: 3 # t:3\n"},
    {"'a': 1\n\"b\" 2", "a: 1 # t:1\nb: 2 # t:2\n"},
    {"a:1\r\nb:2\r\n", "a: 1 # t:1\nb: 2 # t:2\n"},
    /* JSON */
    {"{\"a\": 1, \"b\": [\n1,\n2]}",
	"a: 1 # t:1\nb: [ # t:1\n\t1 # t:2\n\t2 # t:3\n]\n"},
    {"{a: {b: \"c\"}}}\n", "a: { # t:1\n\tb: \"c\" # t:1\n}\n"},
    /* the later one of two counts */
    {"a: 1\nb: 2\na: {c: 3}", "b: 2 # t:2\na: { # t:3\n\tc: 3 # t:3\n}\n"},
    /* numbers and what only begins like one */
    {"a: -7", "a: -7 # t:1\n"},
    {"a: 1k; b: 1kb; c: 1KiB; d: 1Ki",
	"a: 1000 # t:1\nb: 1024 # t:1\nc: 1024 # t:1\nd: 1024 # t:1\n"},
    {"a: 2m; b: 3Mb; c: 1g; d: 1GB",
	"a: 2000000 # t:1\nb: 3145728 # t:1\nc: 1000000000 # t:1\n"
	"d: 1073741824 # t:1\n"},
    {"a: 1T; b: 1tib; c: 1P; d: 1pi",
	"a: 1000000000000 # t:1\nb: 1099511627776 # t:1\n"
	"c: 1000000000000000 # t:1\nd: 1125899906842624 # t:1\n"},
    {"a: 7e; b: 7Ei; c: -5k", "a: 7000000000000000000 # t:1\n"
			      "b: 8070450532247928832 # t:1\nc: -5000 # t:1\n"},
    {"a: 9223372036854775807", "a: 9223372036854775807 # t:1\n"},
    {"a: 30s\nb: 10ms\nc: 1kk\nd: 5x",
	"a: \"30s\" # t:1\nb: \"10ms\" # t:2\nc: \"1kk\" # t:3\n"
	"d: \"5x\" # t:4\n"},
    {"a: 1.50; b: -2.5", "a: 1.50 # t:1\nb: -2.5 # t:1\n"},
    {"a: 127.0.0.1:4222", "a: \"127.0.0.1:4222\" # t:1\n"},
    {"a: 2006-01-02T15:04:05Z", "a: 2006-01-02T15:04:05Z # t:1\n"},
    {"a: [1,2k,-3]", "a: [ # t:1\n\t1 # t:1\n\t2000 # t:1\n\t-3 # t:1\n]\n"},
    /* truth */
    {"a: true; b: Yes; c: ON; d: false; e: no; f: off",
	"a: true # t:1\nb: true # t:1\nc: true # t:1\nd: false # t:1\n"
	"e: false # t:1\nf: false # t:1\n"},
    {"a: \"true\"; b: truex", "a: \"true\" # t:1\nb: \"truex\" # t:1\n"},
    /* strings */
    {"a: nats://x:y@h:1/p # c", "a: \"nats://x:y@h:1/p\" # t:1\n"},
    {"a: foo#bar; b: /x//y", "a: \"foo#bar\" # t:1\nb: \"/x//y\" # t:1\n"},
    {"a: 'b\\c \"d\"'", "a: \"b\\\\c \\\"d\\\"\" # t:1\n"},
    {"a: \"\\t\\n\\r\\\"\\\\\\x41\\x01\"",
	"a: \"\\t\\n\\r\\\"\\\\A\\x01\" # t:1\n"},
    {"a: b\\tc", "a: \"b\\tc\" # t:1\n"},
    {"a: \"\"; b: ''", "a: \"\" # t:1\nb: \"\" # t:1\n"},
    {"a: \"x\ny\"\nb: 1", "a: \"x\\ny\" # t:1\nb: 1 # t:3\n"},
    {"a: (\n x (y)\n )z\n)\nb: 1",
	"a: \"\\n x (y)\\n )z\\n\" # t:1\nb: 1 # t:5\n"},
    {"a: (x\n)", "a: \"x\\n\" # t:1\n"},
    {"a: \xc3\xa4", "a: \"\xc3\xa4\" # t:1\n"},
    /* keys */
    {"$SYS: 1\n\"a.*\": 2\n'b\"c': 3\n\"include\": 4\ninclude: 5",
	"$SYS: 1 # t:1\n\"a.*\": 2 # t:2\n'b\"c': 3 # t:3\n"
	"\"include\": 5 # t:5\n"},
    /* maps and arrays */
    {"a {}", "a: { # t:1\n}\n"},
    {"a: {b: 1; c: 2, d: 3\ne\n4}\n",
	"a: { # t:1\n\tb: 1 # t:1\n\tc: 2 # t:1\n\td: 3 # t:1\n"
	"\te: 4 # t:2\n}\n"},
    {"a { # x\n b: #no\n}", "a: { # t:1\n\tb: \"#no\" # t:2\n}\n"},
    {"a {b:\n\n1}", "a: { # t:1\n\tb: 1 # t:1\n}\n"},
    {"a: []\nb: [ x\ny # c\nz, // d\n w,]",
	"a: [ # t:1\n]\nb: [ # t:2\n\t\"x\" # t:2\n\t\"y\" # t:3\n"
	"\t\"z\" # t:4\n\t\"w\" # t:5\n]\n"},
    {"a: [{b: 1}, [2]]",
	"a: [ # t:1\n\t{ # t:1\n\t\tb: 1 # t:1\n\t}\n\t[ # t:1\n"
	"\t\t2 # t:1\n\t]\n]\n"},
    /* variables */
    {"a: 1\nb: $a", "a: 1 # t:1\nb: $a # t:2\n"},
    {"a: {x: 1}\nb: [$a]",
	"a: { # t:1\n\tx: 1 # t:1\n}\nb: [ # t:2\n\t$a # t:2\n]\n"},
    {"a: 1\nb {\n a: 2\n c: $a\n}\nd: $a",
	"a: 1 # t:1\nb: { # t:2\n\ta: 2 # t:3\n\tc: $a # t:4\n}\n"
	"d: $a # t:6\n"},
    {"a: 1\nb: $a\na: 2\nc: $a", "b: 1 # t:2\na: 2 # t:3\nc: $a # t:4\n"},
    {"a: 1\na: $a", "a: 1 # t:2\n"},
    {"a: $2a$11$W2zko751KUvVy59mUTWmpO",
	"a: \"$2a$11$W2zko751KUvVy59mUTWmpO\" # t:1\n"},
    {"a: '$b'; c: \"$d\"; e: \\x24f",
	"a: \"$b\" # t:1\nc: \"$d\" # t:1\ne: \"$f\" # t:1\n"},
};

static void
test_good(void **state)
{
	struct conf *c;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		c = conf_create();
		assert_non_null(c);
		if (conf_read_text(c, "t", good[i].in, strlen(good[i].in)) <
			0 ||
		    write_tree(c) < 0)
			fail_msg("%s: %s", good[i].in, c->why);
		assert_string_equal(text_of(), good[i].out);
		conf_destroy(c);
	}
}

static void
test_bad(void **state)
{
	static const struct {
		const char *in, *why;
	} rows[] = {
	    {"a", "t:1: a value is missing"},
	    {"\na:", "t:2: a value is missing"},
	    {"a:\n1", "t:1: a value is missing"},
	    {"a {b: }", "t:1: a value is missing"},
	    {"a: ,", "t:1: a value is missing"},
	    {": 1", "t:1: a key is missing"},
	    {"'': 1", "t:1: a key is missing"},
	    {"a = = 1", "t:1: a value ends with"},
	    {"a: 1 b", "t:1: a value ends with a new line, a comma, ; or a "},
	    {"a {b: 1 c: 2}", "t:1: a value ends with"},
	    {"a: \"x\" \"y\"", "t:1: a value ends with"},
	    {"\n\na {\nb: 1\n", "t:3: the { is not closed"},
	    {"{\na: 1\n", "t:1: the { is not closed"},
	    {"a: [1,\n2", "t:1: the [ is not closed"},
	    {"\na: \"x\ny", "t:2: the quote \" is not closed"},
	    {"a: 'x", "t:1: the quote ' is not closed"},
	    {"\"a: 1", "t:1: the quote \" is not closed"},
	    {"a: (\nx)\n", "t:1: the ( is not closed"},
	    {"a: (\nx\n )\n", "t:1: the ( is not closed"},
	    {"a: (", "t:1: the ( is not closed"},
	    {"a: [1 2]", "t:1: a value of an array ends with"},
	    {"a: [1,,2]", "t:1: no value before the comma"},
	    {"a: [,1]", "t:1: no value before the comma"},
	    {"accounts{ a: 1 }", "t:1: a key without quotes"},
	    {"a: 1\n]", "t:2: a key without quotes"},
	    {"a: 1,,b: 2", "t:1: a key without quotes"},
	    {"a: \"\\q\"", "t:1: behind a backslash"},
	    {"a: \"\\x4\"", "t:1: behind a backslash"},
	    {"a: \"\\x00\"", "t:1: behind a backslash"},
	    {"a: b\\", "t:1: behind a backslash"},
	    {"a: -x", "t:1: behind the minus stands a digit"},
	    {"a: -", "t:1: behind the minus stands a digit"},
	    {"a: 1.", "t:1: behind the point stands a digit"},
	    {"a: 1.5k", "t:1: a value ends with"},
	    {"a: .5", "t:1: before the point stands a digit"},
	    {"a: 1mbb", "t:1: a number may end in"},
	    {"a: 1bi", NULL}, /* a word */
	    {"a: 9223372036854775808", "t:1: the number is too large"},
	    {"a: 10E", "t:1: the number is too large"},
	    {"a: 99999999999999999999999999999999", "t:1: the number is too"},
	    {"a: 5-6", "t:1: a date has the form"},
	    {"a: 2006-01-02", "t:1: a date has the form"},
	    {"a: 2006-01-02T15:04:05+1", "t:1: a date has the form"},
	    {"a: $no_such_variable", "t:1: variable $no_such_variable is set"},
	    {"b: $a\na: 1", "t:1: variable $a is set neither"},
	    {"a {b: 1}\nc: $b", "t:2: variable $b is set neither"},
	    {"\xef\xbb\xbf"
	     "a: 1",
		"t:1: a byte order mark"},
	    {"include", "t:1: a value is missing"},
	    {"include [a]", "t:1: include goes with"},
	    {"a: 1\ninclude ", "t:2: include goes with"},
	    {"\ninclude \"no/such\"", "t:2: \"no/such\": No such file"},
	    {"include ./", "t:1: \"./\": is not a file"},
	};
	struct conf *c;
	size_t i;
	int err;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		c = conf_create();
		assert_non_null(c);
		err = conf_read_text(c, "t", rows[i].in, strlen(rows[i].in));
		if (err == 0)
			err = write_tree(c);
		if (rows[i].why == NULL)
			assert_int_equal(err, 0);
		else if (err != -EINVAL ||
			 strncmp(c->why, rows[i].why, strlen(rows[i].why)) != 0)
			fail_msg("%s: %d %s", rows[i].in, err, c->why);
		conf_destroy(c);
	}
}

static void
test_zero(void **state)
{
	struct conf *c = conf_create();

	(void)state;
	assert_int_equal(conf_read_text(c, "t", "a: 1\nb: \0", 9), -EINVAL);
	assert_string_equal(c->why, "t:2: a byte that no text has");
	conf_destroy(c);
}

/* Values of the environment are read as values of the file. */
static void
test_environment(void **state)
{
	static const struct {
		const char *value, *out, *why;
	} rows[] = {
	    {"5", "a: 5 # t:1\n", NULL},
	    {"5k", "a: 5000 # t:1\n", NULL},
	    {"\"5\"", "a: \"5\" # t:1\n", NULL},
	    {"some-word", "a: \"some-word\" # t:1\n", NULL},
	    {"yes", "a: true # t:1\n", NULL},
	    {"[x]", "a: [ # t:1\n\t\"x\" # environment variable NB_CONF:1\n]\n",
		NULL},
	    {"$NB_CONF", NULL,
		"environment variable NB_CONF:1: variables in variables"},
	    {"$NB_CONF_NOT", NULL, "t:1: variable $NB_CONF_NOT is set"},
	    {"two words", NULL,
		"environment variable NB_CONF:1: a value ends with"},
	    {"", NULL, "environment variable NB_CONF:1: a value is missing"},
	};
	struct conf *c;
	size_t i;
	int err;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		c = conf_create();
		assert_int_equal(setenv("NB_CONF", rows[i].value, 1), 0);
		err = conf_read_text(c, "t", "a: $NB_CONF", 11);
		if (err == 0)
			err = write_tree(c);
		if (rows[i].out != NULL) {
			assert_int_equal(err, 0);
			assert_string_equal(text_of(), rows[i].out);
		} else if (err != -EINVAL || strncmp(c->why, rows[i].why,
						 strlen(rows[i].why)) != 0)
			fail_msg("%s: %d %s", rows[i].value, err, c->why);
		conf_destroy(c);
	}
	/* The file's own comes first. */
	c = conf_create();
	assert_int_equal(
	    conf_read_text(c, "t", "NB_CONF: 1\na: $NB_CONF", 22), 0);
	assert_int_equal(write_tree(c), 0);
	assert_string_equal(text_of(), "NB_CONF: 1 # t:1\na: $NB_CONF # t:2\n");
	conf_destroy(c);
	unsetenv("NB_CONF");
}

static void
put_file(const char *name, const char *text)
{
	assert_int_equal(file_replace(name, text, strlen(text)), 0);
}

/* What a tree becomes of a file, or why it can't be read. */
static const char *
read_main(void)
{
	static char out[8192];
	struct conf *c = conf_create();
	int err;

	assert_non_null(c);
	err = conf_read(c, "main.conf");
	if (err == 0)
		err = write_tree(c);
	assert_true(err == 0 || err == -EINVAL);
	text_set(out, sizeof(out), err == 0 ? text_of() : c->why);
	conf_destroy(c);
	return out;
}

static void
test_files(void **state)
{
	char dir[] = "/tmp/natsburn-conf.XXXXXX", here[4096];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("sub", 0700), 0);

	assert_string_equal(
	    read_main(), "\"main.conf\": No such file or directory");
	put_file("main.conf", "a {\n include sub/one.conf\n b: $x\n}\n"
			      "include './sub/two.conf';c: 1");
	put_file("sub/one.conf", "include \"two.conf\"\nx: 1\nx2: $x");
	put_file("sub/two.conf", "{ y: 2 }");
	assert_string_equal(read_main(),
	    "a: { # main.conf:1\n\ty: 2 # sub/two.conf:1\n"
	    "\tx: 1 # sub/one.conf:2\n\tx2: $x # sub/one.conf:3\n"
	    "\tb: $x # main.conf:3\n}\n"
	    "y: 2 # ./sub/two.conf:1\nc: 1 # main.conf:5\n");
	/* An included file does not see variables of the others. */
	put_file("main.conf", "x: 1\ninclude sub/one.conf");
	put_file("sub/one.conf", "z: $x");
	assert_string_equal(read_main(),
	    "sub/one.conf:1: variable $x is set neither in the file nor in "
	    "the environment");
	/* With a slash at the beginning, too: so does nats-server. */
	put_file("main.conf", "include /sub/two.conf");
	assert_string_equal(read_main(), "y: 2 # ./sub/two.conf:1\n");

	put_file("sub/one.conf", "\ninclude ../main.conf");
	put_file("main.conf", "include sub/one.conf");
	assert_string_equal(read_main(),
	    "sub/one.conf:2: \"sub/../main.conf\": includes itself");
	put_file("sub/one.conf", "a: 1\nb: {\n");
	assert_string_equal(read_main(), "sub/one.conf:2: the { is not closed");
	assert_int_equal(unlink("sub/one.conf"), 0);
	assert_int_equal(mkfifo("sub/one.conf", 0600), 0);
	assert_string_equal(
	    read_main(), "main.conf:1: \"sub/one.conf\": is not a file");
	/* Links are followed: Kubernetes mounts files so. */
	assert_int_equal(unlink("sub/one.conf"), 0);
	assert_int_equal(symlink("two.conf", "sub/one.conf"), 0);
	assert_string_equal(read_main(), "y: 2 # sub/one.conf:1\n");
	assert_int_equal(truncate("sub/two.conf", CONF_FILE_MAX + 1), 0);
	assert_string_equal(read_main(),
	    "main.conf:1: \"sub/one.conf\": more than 1048576 bytes");

	unlink("main.conf");
	unlink("sub/one.conf");
	unlink("sub/two.conf");
	rmdir("sub");
	assert_int_equal(chdir(here), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* Text of n times a part, to be freed. */
static char *
repeat(const char *part, size_t n)
{
	size_t len = strlen(part);
	char *text = calloc(n, len + 1);

	assert_non_null(text);
	while (n > 0)
		memcpy(text + --n * len, part, len);
	return text;
}

static void
test_bounds(void **state)
{
	static const struct {
		const char *part;
		size_t n;
		const char *why;
	} rows[] = {
	    {"[", 1, "t:1: the [ is not closed"},
	    {"[", 100000, "t:1: more than 64 maps and arrays in each other"},
	    {"{a:", 100000, "t:1: more than 64 maps and arrays in each other"},
	    {"1,", 100000, "t:1: more than 32768 values"},
	};
	struct conf *c;
	char *text, *whole;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		text = repeat(rows[i].part, rows[i].n);
		c = conf_create();
		assert_true(asprintf(&whole, "a: [%s", text) > 0);
		assert_int_equal(conf_read_text(c, "t", i == 0 ? whole : whole,
				     strlen(whole)),
		    -EINVAL);
		assert_string_equal(c->why, rows[i].why);
		conf_destroy(c);
		free(whole);
		free(text);
	}
}

/* Ten lines that would be a billion values: nothing of them is written. */
static void
test_laughs(void **state)
{
	static const char text[] = "x {\n"
				   "a: [1,1,1,1,1,1,1,1,1,1]\n"
				   "b: [$a,$a,$a,$a,$a,$a,$a,$a,$a,$a]\n"
				   "c: [$b,$b,$b,$b,$b,$b,$b,$b,$b,$b]\n"
				   "d: [$c,$c,$c,$c,$c,$c,$c,$c,$c,$c]\n"
				   "e: [$d,$d,$d,$d,$d,$d,$d,$d,$d,$d]\n"
				   "f: [$e,$e,$e,$e,$e,$e,$e,$e,$e,$e]\n"
				   "g: [$f,$f,$f,$f,$f,$f,$f,$f,$f,$f]\n"
				   "y: $g\n}\n";
	struct conf *c = conf_create();
	struct conf_node *x, *y;

	(void)state;
	assert_int_equal(conf_read_text(c, "t", text, strlen(text)), 0);
	assert_int_equal(write_tree(c), 0);
	assert_non_null(
	    strstr(text_of(), "\t$g") ? text_of() : strstr(text_of(), "$g"));
	/* Where the names mean nothing the values would have to be. */
	x = conf_member(c->root, "x");
	y = conf_member(x, "y");
	conf_remove(x, y);
	conf_remove(c->root, x);
	conf_append(c->root, y);
	assert_int_equal(write_tree(c), -EINVAL);
	assert_non_null(strstr(c->why, "its variables make too much of it"));
	conf_destroy(c);
}

/* A definition of which no variable is left is no setting. */
static void
test_left_out(void **state)
{
	static const char text[] = "PORT: 5\nNAME: x\nport: $PORT\n"
				   "name: $NAME\nB: $NAME\nother: 1";
	struct conf *c = conf_create();

	(void)state;
	assert_int_equal(conf_read_text(c, "t", text, strlen(text)), 0);
	conf_remove(c->root, conf_member(c->root, "port"));
	assert_int_equal(write_tree(c), 0);
	assert_string_equal(text_of(),
	    "NAME: \"x\" # t:2\nname: $NAME # t:4\nB: $NAME # t:5\n"
	    "other: 1 # t:6\n");
	conf_destroy(c);
}

/* A copy is changed, and what it was copied from is not. */
static void
test_own(void **state)
{
	static const char text[] = "A: {list: [1]}\nb: $A\nc: $A\nd: 1";
	struct conf *c = conf_create();
	struct conf_node *b, *list;

	(void)state;
	assert_int_equal(conf_read_text(c, "t", text, strlen(text)), 0);
	b = conf_member(c->root, "b");
	assert_false(conf_own(c, b, CONF_ARRAY));
	assert_false(conf_own(c, conf_member(c->root, "d"), CONF_MAP));
	assert_true(conf_own(c, b, CONF_MAP));
	list = conf_put(c, b, "list", CONF_ARRAY);
	conf_append_text(c, list, "x");
	conf_put_text(c, b, "own", "y");
	conf_put_number(c, b, "n", -1);
	conf_put_number(c, b, "n", 7);
	assert_int_equal(write_tree(c), 0);
	assert_string_equal(text_of(),
	    "A: { # t:1\n\tlist: [ # t:1\n\t\t1 # t:1\n\t]\n}\n"
	    "b: { # t:2\n\tlist: [ # t:1\n\t\t1 # t:1\n\t\t\"x\"\n\t]\n"
	    "\town: \"y\"\n\tn: 7\n}\nc: $A # t:3\nd: 1 # t:4\n");
	conf_destroy(c);
}

static void
test_place(void **state)
{
	char path[] = "/tmp/natsburn-conf.XXXXXX", place[64];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	put_file(
	    path, "own: \"x # y:1\"\na: \"x # y:1\" # b.conf:12\nc: 1 # d:3");
	assert_false(conf_place(path, 0, place, sizeof(place)));
	assert_false(conf_place(path, 1, place, sizeof(place)));
	assert_true(conf_place(path, 2, place, sizeof(place)));
	assert_string_equal(place, "b.conf:12");
	assert_true(conf_place(path, 3, place, sizeof(place)));
	assert_string_equal(place, "d:3");
	assert_false(conf_place(path, 4, place, sizeof(place)));
	assert_int_equal(unlink(path), 0);
	assert_false(conf_place(path, 1, place, sizeof(place)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_bad),
	    cmocka_unit_test(test_zero),
	    cmocka_unit_test(test_environment),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_laughs),
	    cmocka_unit_test(test_left_out),
	    cmocka_unit_test(test_own),
	    cmocka_unit_test(test_place),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	buf_fini(&written);
	return failed;
}
