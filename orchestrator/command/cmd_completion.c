/* SPDX-License-Identifier: ISC */
/*
 * natsburn --completion bash|zsh|fish: the shell's completion of natsburn, made
 * from the tables of options, tests, modes and commands. The build writes
 * all for cmake --install; see CMakeLists.txt.
 */
#include <stdio.h>
#include <string.h>

#include "chaos/chaos.h"
#include "orchestrator/command/cli.h"
#include "orchestrator/command/usage.h"
#include "worker/worker.h"

static bool
is_file(const struct option_spec *row)
{
	static const char *const args[] = {
	    "FILE", "DIR", "PATH", "PATH[,PATH]"};
	size_t i;

	for (i = 0; row->arg != NULL && i < 4; i++)
		if (strcmp(row->arg, args[i]) == 0)
			return true;
	return false;
}

static void
each_option(void (*put)(const struct option_spec *))
{
	const struct option_spec *row;
	size_t i;

	for (i = 0; cli_tables[i] != NULL; i++)
		for (row = cli_tables[i]; row->name != NULL; row++)
			put(row);
}

static void
put_commands(void)
{
	size_t i;

	for (i = 0; cli_commands[i].name != NULL; i++)
		printf("%s%s", i ? " " : "", cli_commands[i].name);
}

static void
put_tests(void)
{
	size_t i;

	for (i = 0; workload_table[i] != NULL; i++)
		printf("%s%s", i ? " " : "", workload_table[i]->name);
}

static void
put_modes(void)
{
	size_t i;

	for (i = 0; mayhem_table[i] != NULL; i++)
		printf("%s%s", i ? " " : "", mayhem_table[i]->name);
}

static void
put_clusters(void)
{
	size_t i;

	for (i = 0; cluster_table[i] != NULL; i++)
		printf("%s%s", i ? " " : "", cluster_table[i]->name);
}

/* The options of one test or mode: NAME.KEY=. */
static void
put_keys(const char *name, const struct option_spec *row)
{
	for (; row != NULL && row->name != NULL; row++)
		printf(" %s.%s=", name, row->name);
}

/* The options of tests and modes, as -o takes them. */
static void
put_extras(void)
{
	size_t i;

	for (i = 0; workload_table[i] != NULL; i++)
		put_keys(workload_table[i]->name, workload_table[i]->options);
	for (i = 0; mayhem_table[i] != NULL; i++)
		put_keys(mayhem_table[i]->name, mayhem_table[i]->options);
}

static void
put_choices(const struct option_spec *row)
{
	size_t i;

	for (i = 0; row->choices[i] != NULL; i++)
		printf("%s%s", i ? " " : "", row->choices[i]);
}

/* bash */

static void
bash_values(const struct option_spec *row)
{
	if (row->type == OPTION_FLAG)
		return;
	printf("	--%s)\n", row->name);
	if (row->type == OPTION_CHOICE) {
		fputs("		words=\"", stdout);
		put_choices(row);
		puts("\" ;;");
	} else if (strcmp(row->name, "mayhem") == 0) {
		puts("		list=$modes ;;");
	} else if (strcmp(row->name, "tests") == 0) {
		fputs("		list=\"", stdout);
		put_tests();
		puts("\" ;;");
	} else if (strcmp(row->name, "test") == 0) {
		fputs("		words=\"", stdout);
		put_tests();
		puts("\" ;;");
	} else if (strcmp(row->name, "cluster") == 0) {
		fputs("		words=\"", stdout);
		put_clusters();
		puts("\" ;;");
	} else if (is_file(row))
		puts("		COMPREPLY=($(compgen -f -- \"$cur\"))\n"
		     "		compopt -o filenames 2>/dev/null\n"
		     "		return ;;");
	else
		puts("		return ;;");
}

static const char bash_begin[] =
    "# bash completion of natsburn; made by natsburn --completion bash\n"
    "# shellcheck shell=bash disable=SC2207\n"
    "_natsburn()\n"
    "{\n"
    "	local cur=${COMP_WORDS[COMP_CWORD]} prev='' words='' list='' kept\n"
    "	COMPREPLY=()\n"
    "	[ \"$COMP_CWORD\" -gt 0 ] && prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "	# --name=value comes as three words\n"
    "	if [ \"$cur\" = = ]; then\n"
    "		cur=''\n"
    "	elif [ \"$prev\" = = ] && [ \"$COMP_CWORD\" -gt 1 ]; then\n"
    "		prev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "	fi\n";

static const char bash_end[] =
    "	esac\n"
    "	if [ \"$list\" ]; then\n"
    "		kept=''\n"
    "		[[ $cur == *,* ]] && kept=${cur%,*},\n"
    "		COMPREPLY=($(compgen -P \"$kept\" -W \"$list\" -- "
    "\"${cur##*,}\"))\n"
    "		compopt -o nospace 2>/dev/null\n"
    "		return\n"
    "	fi\n"
    "	COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
    "	[[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null\n"
    "	return 0\n"
    "}\n"
    "complete -F _natsburn natsburn";

static void
bash_word(const struct option_spec *row)
{
	printf(" --%s", row->name);
}

static void
bash_words(void)
{
	fputs("	-o)\n		words=\"", stdout);
	put_extras();
	puts("\" ;;\n"
	     "	check | report | dump | events)\n"
	     "		COMPREPLY=($(compgen -d -- \"$cur\"))\n"
	     "		compopt -o filenames 2>/dev/null\n"
	     "		return ;;\n"
	     "	cluster)\n"
	     "		words=\"up status down\" ;;\n"
	     "	list)\n"
	     "		words=\"tests mayhem moments checks clusters --json\" "
	     ";;\n"
	     "	--completion)\n"
	     "		words=\"bash zsh fish\" ;;\n"
	     "	*)\n"
	     "		if [ \"$COMP_CWORD\" -eq 1 ]; then");
	fputs("			words=\"", stdout);
	put_commands();
	puts(" help version --help --version --completion\"\n"
	     "		else");
	fputs("			words=\"-o --help", stdout);
	each_option(bash_word);
	puts("\"\n"
	     "		fi");
	fputs("		[ \"$prev\" = run ] && words=\"$words ", stdout);
	put_tests();
	puts("\"\n"
	     "		[ \"$prev\" = mayhem ] && list=\"$modes\"\n"
	     "		;;");
}

static void
bash(void)
{
	fputs(bash_begin, stdout);
	fputs("	local modes=\"all ", stdout);
	put_modes();
	puts("\"\n	case $prev in");
	each_option(bash_values);
	bash_words();
	puts(bash_end);
}

/* zsh */

/* What stands in brackets in a specification. */
static void
zsh_help(const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("[]:\\", *text) != NULL)
			putchar('\\');
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
}

static void
zsh_option(const struct option_spec *row)
{
	const char *equals = row->type == OPTION_FLAG ? "" : "=";

	printf("\t'--%s%s[", row->name, equals);
	zsh_help(row->help);
	putchar(']');
	if (row->type != OPTION_FLAG) {
		printf(":%s:", row->name);
		if (row->type == OPTION_CHOICE) {
			putchar('(');
			put_choices(row);
			putchar(')');
		} else if (strcmp(row->name, "mayhem") == 0) {
			fputs("_sequence compadd - all ", stdout);
			put_modes();
		} else if (strcmp(row->name, "tests") == 0) {
			fputs("_sequence compadd - ", stdout);
			put_tests();
		} else if (strcmp(row->name, "test") == 0) {
			putchar('(');
			put_tests();
			putchar(')');
		} else if (strcmp(row->name, "cluster") == 0) {
			putchar('(');
			put_clusters();
			putchar(')');
		} else if (is_file(row))
			fputs("_files", stdout);
	}
	puts("' \\");
}

static void
zsh(void)
{
	size_t i;

	puts("#compdef natsburn\n"
	     "# zsh completion of natsburn; made by natsburn --completion zsh\n"
	     "_natsburn() {\n"
	     "local context state state_descr line\n"
	     "typeset -A opt_args\n"
	     "_arguments \\");
	each_option(zsh_option);
	fputs("	'*-o[option of a test]:NAME.KEY=VALUE:compadd -S \"\" - ",
	    stdout);
	put_extras();
	puts("' \\\n"
	     "	'(- *)--help[show the options]' \\\n"
	     "	'(- *)--version[show the version]' \\\n"
	     "	'1:command:->command' '2:what:->what'");
	fputs("case $state in\ncommand)\n	local -a commands=(", stdout);
	for (i = 0; cli_commands[i].name != NULL; i++) {
		printf("'%s:", cli_commands[i].name);
		zsh_help(cli_commands[i].summary);
		fputs("' ", stdout);
	}
	puts(")\n	_describe command commands ;;\nwhat)\n"
	     "	case ${line[1]} in");
	fputs("	run) compadd - ", stdout);
	put_tests();
	fputs(" ;;\n	mayhem) _sequence compadd - all ", stdout);
	put_modes();
	puts(" ;;\n"
	     "	check|report|dump|events) _files -/ ;;\n"
	     "	cluster) compadd - up status down ;;\n"
	     "	list) compadd - tests mayhem moments checks clusters ;;\n"
	     "	esac ;;\n"
	     "esac\n"
	     "}\n"
	     "_natsburn \"$@\"");
}

/* fish */

/* A text in quotes. */
static void
fish_text(const char *text)
{
	putchar('\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void
fish_option(const struct option_spec *row)
{
	printf("complete -c natsburn -l %s -d ", row->name);
	fish_text(row->help);
	if (row->type != OPTION_FLAG)
		fputs(is_file(row) ? " -r -F" : " -x -a '", stdout);
	if (row->type == OPTION_FLAG || is_file(row)) {
		putchar('\n');
		return;
	}
	if (row->type == OPTION_CHOICE)
		put_choices(row);
	else if (strcmp(row->name, "mayhem") == 0)
		put_modes();
	else if (strncmp(row->name, "test", 4) == 0)
		put_tests();
	else if (strcmp(row->name, "cluster") == 0)
		put_clusters();
	puts("'");
}

/* What stands behind one of these commands. */
static void
fish_words(const char *commands, void (*put)(void), const char *more)
{
	printf("complete -c natsburn -n '__fish_seen_subcommand_from %s' -a '",
	    commands);
	if (put != NULL)
		put();
	printf("%s'\n", more);
}

static void
fish(void)
{
	size_t i;

	puts("# fish completion of natsburn; made by natsburn --completion "
	     "fish\n"
	     "complete -c natsburn -f");
	for (i = 0; cli_commands[i].name != NULL; i++) {
		printf(
		    "complete -c natsburn -n __fish_use_subcommand -a %s -d ",
		    cli_commands[i].name);
		fish_text(cli_commands[i].summary);
		putchar('\n');
	}
	fish_words("run doctor", put_tests, "");
	fish_words("mayhem", put_modes, " all");
	fish_words("help", put_commands, "");
	fish_words("cluster", NULL, "up status down");
	fish_words("list", NULL, "tests mayhem checks clusters");
	fish_words(
	    "check report dump events", NULL, "(__fish_complete_directories)");
	each_option(fish_option);
	fputs("complete -c natsburn -s o -x -d 'option of a test or a mode' "
	      "-a '",
	    stdout);
	put_extras();
	puts("'");
}

int
cmd_completion(int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], "bash") == 0)
		bash();
	else if (argc == 1 && strcmp(argv[0], "zsh") == 0)
		zsh();
	else if (argc == 1 && strcmp(argv[0], "fish") == 0)
		fish();
	else
		return usage_error("--completion: must be bash, zsh or fish");
	return fflush(stdout) == 0 ? 0 : usage_error("cannot write to stdout");
}
