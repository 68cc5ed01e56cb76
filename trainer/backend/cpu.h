/* cpu.h - the backend for CPUs: convolutions and matrix products by oneDNN (2.6 or
 * 3.x), the rest by our own loops, in threads of OpenMP, which oneDNN uses as well.
 *
 * The same bits come out of the same inputs as long as threads, instruction set and
 * library are the same; oneDNN's filter gradients differ between numbers of threads. */
#ifndef S3SAMPLE_BACKEND_CPU_H
#define S3SAMPLE_BACKEND_CPU_H

struct backend;

/* threads 0: as many as the process may use CPUs. Returns 0, -ENOMEM or -EIO. Free with
 * backend_free. */
int cpu_new(unsigned threads, struct backend **ret);

#endif
