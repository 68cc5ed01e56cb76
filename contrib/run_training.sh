#!/usr/bin/env bash
# Trains from a bucket, from a copy of it, or from a folder, and tells what it took.
#
#   contrib/run_training.sh s3-streaming BUCKET[/PREFIX] [OPTION...]
#   contrib/run_training.sh aws BUCKET[/PREFIX] [OPTION...]
#   contrib/run_training.sh local DIR [OPTION...]
#
# s3-streaming   mounts the bucket, trains from the mount, unmounts on every exit
# aws            copies the bucket with the AWS command line first, trains on the copy
# local          trains on samples in a folder; options go to s3sample-train as they are
#
# OPTIONs are s3sample-train's. Environment: VIEW, the view with its parameters
# (samples); MOUNT_OPTIONS, as for s3samplefs -o; S3_COPY, where aws puts its copy, which
# stays there (a temporary folder, which doesn't).
#
# Both ways from a bucket end with the requests, the bytes, the time, and what AWS's list
# prices make of it: requests cost the same everywhere, bytes by where this machine is.
# When the first batch was there is told by s3sample-train.
set -euo pipefail

S3SAMPLEFS=${S3SAMPLEFS_BIN:-s3samplefs}
TRAIN=${S3SAMPLE_TRAIN:-s3sample-train}
VIEW=${VIEW:-samples}
MOUNT_OPTIONS=${MOUNT_OPTIONS:-}

work=
mounted=no

say()
{
	printf '%s\n' "$*" >&2
}

usage()
{
	sed -n '4,6s/^# *//p' "$0" >&2
	exit 2
}

cleanup()
{
	[ "$mounted" = no ] || fusermount3 -u "$work/mnt" || umount -l "$work/mnt" || true
	mounted=no
	if [ -n "$work" ]; then
		rmdir "$work/mnt" 2>/dev/null || true
		rm -rf "${work:?}/copy"
		rmdir "$work" 2>/dev/null || true
	fi
}

# source DIR-OR-BUCKET: as s3samplefs names it.
source_of()
{
	case $1 in
	s3://* | dir:*) printf '%s' "$1" ;;
	*) printf 's3://%s' "$1" ;;
	esac
}

# mount SOURCE: on $work/mnt. s3samplefs returns when it is there, or says why it isn't.
mount_it()
{
	mkdir -p "$work/mnt"
	if [ -n "$MOUNT_OPTIONS" ]; then
		"$S3SAMPLEFS" "$1" "$work/mnt" -o "$MOUNT_OPTIONS"
	else
		"$S3SAMPLEFS" "$1" "$work/mnt"
	fi
	mounted=yes
}

# train DATA OPTION...: the trainer's status. It hears the terminal's SIGINT itself; SIGTERM is
# for this shell, and handed on.
train()
{
	local data=$1 pid status=0
	shift
	"$TRAIN" --data "$data" "$@" &
	pid=$!
	trap 'kill -TERM $pid 2>/dev/null || true' TERM
	# A signal ends wait, not the trainer.
	while :; do
		status=0
		wait "$pid" || status=$?
		kill -0 "$pid" 2>/dev/null || break
	done
	return "$status"
}

# A counter of the mount.
stat_of()
{
	sed -n "s/^.*\"$1\": *\([0-9]*\).*$/\1/p" "$work/mnt/.s3samplefs/stats.json" | head -n 1
}

# tell WAY SECONDS BYTES GETS LISTS HEADS. US list prices: GET and HEAD $0.0004, LIST $0.005 a
# thousand; bytes to EC2 in the bucket's region nothing, to another region about $0.02 a GB, out
# of AWS $0.09 a GB.
tell()
{
	awk -v way="$1" -v seconds="$2" -v bytes="$3" -v gets="$4" -v lists="$5" -v heads="$6" 'BEGIN {
		asked = (gets + heads) * 0.0004 / 1000 + lists * 0.005 / 1000
		printf "%s: %d s in all; %d bytes by %d GET, %d LIST, %d HEAD\n", way, seconds, bytes,
			gets, lists, heads
		printf "  at list prices: $%.6f in the region of the bucket, $%.6f in another region, ",
			asked, asked + bytes / 1e9 * 0.02
		printf "$%.6f outside of AWS\n", asked + bytes / 1e9 * 0.09
	}' >&2
}

streaming()
{
	local start=$SECONDS status=0
	mount_it "$(source_of "$1")"
	shift
	train "$work/mnt/$VIEW" "$@" || status=$?
	tell s3-streaming $((SECONDS - start)) "$(stat_of s3_bytes)" "$(stat_of s3_get)" \
		"$(stat_of s3_list)" "$(stat_of s3_head)" || true
	return "$status"
}

# The copy is mounted too: it is decoded by the same code, and the same bits come out. Large
# objects are copied by several GETs of 8 MiB each, as the AWS command line does.
copied()
{
	local copy=${S3_COPY:-$work/copy} start=$SECONDS status=0 took objects bytes gets
	command -v aws >/dev/null || { say "run_training.sh: there is no aws command"; exit 1; }
	mkdir -p "$copy"
	aws s3 sync --only-show-errors "$(source_of "$1")" "$copy"
	took=$((SECONDS - start))
	objects=$(find "$copy" -type f | wc -l)
	bytes=$(find "$copy" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }')
	gets=$(find "$copy" -type f -printf '%s\n' |
		awk '{ n = int(($1 + 8388607) / 8388608); sum += n ? n : 1 } END { print sum + 0 }')
	shift
	say "aws: copied in $took s"
	mount_it "dir:$(realpath "$copy")"
	train "$work/mnt/$VIEW" "$@" || status=$?
	tell aws $((SECONDS - start)) "$bytes" "$gets" $(((objects + 999) / 1000)) 0
	return "$status"
}

[ $# -ge 2 ] || usage
way=$1
shift
case $way in
local)
	exec "$TRAIN" --data "$@"
	;;
s3-streaming | aws)
	work=$(mktemp -d)
	trap cleanup EXIT
	# The trainer saves and ends; then we clean up.
	trap : INT TERM
	if [ "$way" = aws ]; then copied "$@"; else streaming "$@"; fi
	;;
*)
	usage
	;;
esac
