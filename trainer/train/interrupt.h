/* interrupt.h - SIGINT and SIGTERM as a wish to end: one thread waits for them and stops the
 * loader. The second one ends the process at once. */
#ifndef S3SAMPLE_TRAIN_INTERRUPT_H
#define S3SAMPLE_TRAIN_INTERRUPT_H

struct interrupt;

/* Blocks SIGINT and SIGTERM (and SIGUSR1) in this thread, and so in all that it starts later,
 * those of libraries included: first of all. They stay pending for interrupt_new. */
void interrupt_block(void);
struct loader;

/* Blocks the signals in all threads that are started from now on. Returns 0 or -errno. */
int interrupt_new(struct interrupt **ret);
void interrupt_free(struct interrupt *i);

/* Whom to stop; NULL: nobody. A signal that came before counts. */
void interrupt_watch(struct interrupt *i, struct loader *l);

/* The signal that came, or 0. */
int interrupt_signal(struct interrupt *i);

#endif
