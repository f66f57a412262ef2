/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sefctl run: a command under supervision.
 *
 * We register the command's process and are its proxy: the kernel pings us, and we
 * answer for it as long as its voice says that it is well. The watch is ours too, but
 * verdict and steps are the kernel's. One process and one loop do all of it; signals
 * come by a signalfd, and none is ever handled.
 *
 *	run.c		options, the loop, signals, verdicts, restart
 *	command.c	one life of the command: start, watch, pong, stop
 *	listen.c	what it says by sd_notify, and what our own manager is told
 *	notify.c	those messages, taken apart
 *	probe.c		asking a command that says nothing
 */
#ifndef RUN_H
#define RUN_H

#include <signal.h>
#include <sys/types.h>

#include "sefctl.h"

/* The exit status where we fail, as of env(1) and timeout(1). */
#define EXIT_SEFCTL	125

/* Who says that the command is alive. */
enum voice {
	VOICE_NONE,	/* nobody: it is as long as it has not ended */
	VOICE_COMMAND,	/* itself, by WATCHDOG=1 */
	VOICE_PROBE,	/* the probe */
};

enum restart {
	RESTART_NO,
	RESTART_ON_FAILURE,
	RESTART_ALWAYS,
};

/* HOST and PORT are those of TCP and HTTP. */
struct probe {
	enum { PROBE_AUTO, PROBE_NONE, PROBE_NOTIFY, PROBE_EXEC, PROBE_TCP, PROBE_HTTP } kind;
	const char *command;
	char *host, *port;
	const char *path;
};

struct run {
	/* What is asked for. */
	struct sef_watch_args settings;
	char name[SEF_NAME_SIZE];
	char shown[SHOWN_SIZE];		/* the name, escaped */
	char **command;
	struct probe probe;
	enum restart restart;
	uint64_t delay_ns;		/* of the second restart, doubled from there */
	uint64_t delay_max_ns;
	uint64_t limit;			/* of restarts in a row */
	uint64_t stop_ns;
	bool quiet;
	bool require;
	bool notify_all;
	bool had_children;		/* of who executed us */

	/* As long as we run. */
	sigset_t old_mask;
	int signals;			/* a signalfd */
	int sup;			/* -1: unsupervised */
	int notify;			/* the command's NOTIFY_SOCKET */
	bool told_to_end;
	bool over;
	int status;			/* of the command's last life, as of wait(2) */
	unsigned int restarts;		/* in a row */
	uint64_t restart_at_ns;
	uint64_t left_until_ns;		/* what its last life has left may take to end; or 0 */

	/* One life of the command; child is 0 in between. */
	pid_t child;
	int pidfd;
	struct sef_service *service;
	uint64_t started_ns;
	struct sef_watch_args watch;	/* the settings, or what WATCHDOG_USEC= made of them */
	enum voice voice;
	bool ready;
	bool stopping;			/* nobody answers for it any more */
	bool condemned;			/* by WATCHDOG=trigger */
	uint64_t asked;			/* the ping that waits, or 0 */

	/* The probe: running, or due at probe_at_ns while a ping waits. */
	pid_t prober;
	uint64_t probe_at_ns;		/* running: until when it may take */
	pid_t cancelled;		/* the last that was killed in the middle of it */
	bool probe_failing;		/* and that has been said */
};

/* "sefctl run: NAME: ..." to stderr, one line, unless quiet. */
void say(const struct run *run, const char *format, ...) __printf(2, 3);

/* command.c */

/* Exit status 126 or 127 where it cannot be executed; in run->status. False then. */
bool command_start(struct run *run);
/* It has ended: all of this life is let go. */
void command_ended(struct run *run);
/* Are there children of ours but the command and its probes? They get the signal, or 0. */
bool command_left_behind(const struct run *run, int sig);
/* A ping has come. */
void command_pinged(struct run *run);
/* It is alive: whoever says so. */
void command_alive(struct run *run);
/* From now on it has stop_ns to end. */
void command_stopping(struct run *run);
/* It found itself wrong: a verdict at once. */
void command_condemned(struct run *run);
/* Begin to watch, or anew: nothing of before counts. */
void command_watch(struct run *run);
void command_unwatch(struct run *run);
/* Change the times of the watch. */
void command_retime(struct run *run, uint64_t silence_ns);

/* listen.c */

void listen_open(struct run *run);
/* For the command's process, before it executes. */
void listen_environment(const struct run *run, bool supervised);
void listen_receive(struct run *run);
/* What our own service manager is told; nothing where there is none. */
void manager_tell(const char *message);
/* WATCHDOG=1, if it waits for that. */
void manager_alive(void);
/* Within how long it wants to hear that; 0: it does not. */
uint64_t manager_watchdog_ns(void);

/* probe.c */

/* Or fail(). */
void probe_parse(struct probe *probe, const char *arg);
void probe_cancel(struct run *run);
/* run->prober has ended. */
void probe_ended(struct run *run, int status);
/* Start, or give up, what is due. When it wants to be called again, or UINT64_MAX. */
uint64_t probe_turn(struct run *run);

#endif /* RUN_H */
