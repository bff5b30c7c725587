/* SPDX-License-Identifier: ISC */
/*
 * How clients log in to a cluster that isn't ours: where secrets come from,
 * what goes together, and that nothing of them stays where others look.
 *
 * A secret is in the configuration only, in members that are never stored
 * (option rows with .secret), and goes to children through their pipes.
 */
#ifndef ORCHESTRATOR_LOGIN_H
#define ORCHESTRATOR_LOGIN_H

#include <sys/types.h>

#include "proto/config.h"

/* What stands for the file of a secret that came another way. */
#define LOGIN_NO_FILE "FILE"

/*
 * An option's value was taken: overwrite what ps shows of it (argv) or
 * /proc/PID/environ (the environment), if it is or holds a secret.
 */
void login_hide(const struct option_spec *row, char *value);

/*
 * Refuse a value that is a secret by its form (an nkey's seed, a JWT, PEM)
 * where the name of a file or anything else is wanted: it is overwritten and
 * not shown. what names the option. 0, or -EINVAL after the error was printed.
 */
int login_refuse_secret(
    const struct option_spec *row, char *value, const char *what);

/* Read a whole file: its length, or -errno (-EFBIG: more than size - 1). */
ssize_t login_read(const char *path, char *out, size_t size);

/*
 * Take the logins out of c->url and bring the URLs into one form; a tls:// sets
 * c->tls. what says where they stand. 0 or EXIT_USAGE after the error was
 * printed.
 */
int login_take_urls(struct run_config *c, const char *what);

/*
 * Take secrets out of files and URLs, and see that what was given is one way
 * to log in, in files that can be used. What is open for an external cluster
 * comes from the settings of the nats CLI (natscli.h). env is the configuration
 * as it was before the command line, which goes before the environment. 0 or
 * EXIT_USAGE after the error was printed.
 */
int login_take(struct run_config *, const struct run_config *env);

#endif
