/* stack.h - the layers put together as the configuration says, and taken apart
 * again: store, blocks, metadata, workers, samples, views. What a command does
 * with them, serving them by FUSE for one, is the command's (cmd.h). */
#ifndef S3SAMPLEFS_STACK_H
#define S3SAMPLEFS_STACK_H

#include <stddef.h>

struct config;
struct stack;
struct stats;
struct views;

#define STACK_WHY_MAX 1024

/* How far up it goes; each with all before it. */
enum stack_top {
	STACK_STORE,   /* objects: the source, names, blocks */
	STACK_MEDIA,   /* decoded values: workers, samples */
	STACK_VIEWS,   /* trees of files */
};

/* Opens the source, checks that it is there and may be listed (blocks), and what
 * stands on it. c is borrowed for this call. Returns 0, where why is "" or something
 * worth a warning, or an exit status (1, or 2 where the configuration is wrong) with
 * a sentence in why. */
int stack_new(const struct config *c, enum stack_top top, char why[STACK_WHY_MAX], struct stack **ret_stack);

struct views *stack_views(struct stack *s);
struct stats *stack_stats(struct stack *s);

/* The share of memory= that is the inodes'. */
size_t stack_inode_bytes(const struct stack *s);

/* Ends what is under way: no callback comes any more. Then what was built on the stack may
 * go, and after it the stack, which stops by itself. NULL allowed. */
void stack_stop(struct stack *s);
void stack_free(struct stack *s);

#endif
