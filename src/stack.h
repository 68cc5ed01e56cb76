/* stack.h - the layers put together as the configuration says, and taken apart
 * again: store, blocks, metadata, workers, samples, views, filesystem. */
#ifndef S3SAMPLEFS_STACK_H
#define S3SAMPLEFS_STACK_H

struct config;
struct fsys;
struct stack;

#define STACK_WHY_MAX 1024

/* Opens the source, checks that it is there and may be listed (blocks), starts
 * the workers. c is borrowed. Returns 0, where why is "" or something worth a warning,
 * or an exit status (1, or 2 where the configuration is wrong) with a sentence in why. */
int stack_new(const struct config *c, char why[STACK_WHY_MAX], struct stack **ret_stack);

struct fsys *stack_fsys(struct stack *s);

/* Once nothing is served any more: ends what is under way, then frees. NULL allowed. */
void stack_free(struct stack *s);

#endif
