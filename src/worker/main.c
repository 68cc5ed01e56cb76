/* s3samplefs-worker: demuxes, decodes and computes for the daemon, which starts
 * it with a socket and a window (media/proto.h) and trusts nothing it says. */
#include "worker/serve.h"

int main(int argc, char **argv)
{
	return serve_main(argc, argv, serve_job);
}
