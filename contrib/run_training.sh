#!/usr/bin/env bash
# Trains on clips in an S3 bucket, or on a folder. See usage() below.
#
# What it mounts it takes off again, however it ends (but by SIGKILL). The trainer is a job
# with a process group of its own: of Ctrl-C it hears once, from here, saves and ends; then
# the mount goes. A second Ctrl-C ends it at once.
set -uo pipefail
export LC_NUMERIC=C # of EPOCHREALTIME

usage()
{
	cat <<'TEXT'
Usage: run_training.sh s3-streaming BUCKET[/PREFIX] [OPTION]... [-- TRAINER-OPTION...]
       run_training.sh aws BUCKET[/PREFIX] [OPTION]... [-- TRAINER-OPTION...]
       run_training.sh local DIR [OPTION]... [-- TRAINER-OPTION...]

  s3-streaming         mounts the bucket and trains from the mount, which fetches what it needs
  aws                  copies the bucket by aws s3 sync, mounts the copy, trains from that
  local                trains on a folder of arrays, or on DIR/samples of a mount

  --samples PARAMETERS what samples are like, as in num_frames=8,size=64,duration=1.5
  --out DIR            checkpoint, log, numbers of the run (run)
  --mount OPTIONS      for s3samplefs, as in memory=6G,profile=research
  --endpoint-url URL   another server than AWS's
  --copy DIR           where the copy is made, and stays; of what is there already, only
                       what is new is copied (a temporary folder, removed at the end)
  -h, --help           this text

TRAINER-OPTION: see s3sample-train --help. After the two ways over S3 it tells what the run
took and cost, and what the other way would have cost. The exit status is the trainer's, 1
where something else failed, 2 where the command line is wrong. Credentials, region and
profile come from where AWS's tools look for them.
TEXT
}

say()
{
	printf 'run_training.sh: %s\n' "$*" >&2
}

die()
{
	say "$*"
	exit 1
}

wrong()
{
	say "$*; try --help"
	exit 2
}

# ---- what was asked for ------------------------------------------------------------

way='' place='' samples='' out=run mount_options='' endpoint='' copy='' trainer_options=()

value() # OPTION COUNT VALUE: fails where no value follows
{
	[ "$2" -ge 2 ] || wrong "$1: a value has to follow"
	[ -n "$3" ] || wrong "$1: the value is empty"
}

read_line()
{
	local words=()

	while [ $# -gt 0 ]; do
		case $1 in
		-h | --help)
			usage
			exit 0
			;;
		--samples | --out | --mount | --endpoint-url | --copy)
			value "$1" $# "${2-}"
			case $1 in
			--samples) samples=$2 ;;
			--out) out=$2 ;;
			--mount) mount_options=${mount_options:+$mount_options,}$2 ;;
			--endpoint-url) endpoint=$2 ;;
			--copy) copy=$2 ;;
			esac
			shift
			;;
		--)
			shift
			trainer_options=("$@")
			break
			;;
		-*) wrong "$1: no such option; those of the trainer stand behind --" ;;
		*) words+=("$1") ;;
		esac
		shift
	done
	[ ${#words[@]} -ge 1 ] || wrong "s3-streaming, aws or local is missing"
	way=${words[0]}
	case $way in
	s3-streaming | aws | local) ;;
	*) wrong "$way: there are s3-streaming, aws and local" ;;
	esac
	[ ${#words[@]} -eq 2 ] || wrong "$way: one place to train from has to follow"
	place=${words[1]}
}

check_line()
{
	local word

	for word in "${trainer_options[@]}"; do
		case $word in
		--data | --data=*) wrong "--data is this program's to set: name the place, and --samples" ;;
		--out | --out=*) wrong "--out belongs in front of --" ;;
		esac
	done
	[ "$way" = aws ] || [ -z "$copy" ] || wrong "--copy is for aws"
	[ "$way" != local ] || [ -z "$endpoint$mount_options" ] ||
		wrong "--endpoint-url and --mount are for s3-streaming and aws: local mounts nothing"
	if [ "$way" != local ]; then
		place=${place#s3://}
		place=${place%/}
		[[ $place =~ ^[a-z0-9][a-z0-9._-]+(/.*)?$ ]] || wrong "$place: is not BUCKET or BUCKET/PREFIX"
	fi
}

need()
{
	command -v "$1" >/dev/null || die "$1 is missing: $2"
}

check_programs()
{
	need s3sample-train "build and install it, see README"
	[ "$way" != local ] || return 0
	need s3samplefs "build and install it, see README"
	need fusermount3 "install fuse3"
	need python3 "install it; the report at the end needs it"
	[ "$way" != aws ] || need aws "install awscli (pip install awscli), or use s3-streaming, which copies nothing"
}

# What the trainer would refuse it refuses before anything is copied or mounted.
check_trainer()
{
	local word begins=anew

	s3sample-train --data "$place" --out "$out" "${trainer_options[@]}" --help >/dev/null || exit
	for word in "${trainer_options[@]}"; do
		case $word in --resume | --resume-anyway | --overwrite) begins=on ;; esac
	done
	[ "$begins" = on ] || [ ! -e "$out/checkpoint.safetensors" ] ||
		die "$out/checkpoint.safetensors: is there already; -- --resume goes on with it, -- --overwrite begins anew"
}

# ---- children ----------------------------------------------------------------------

work=''   # temporary folder
child=''  # what is waited for
daemon='' # s3samplefs
heard=''  # a signal, once there was one
alarm=''  # the same, until the wait that it interrupted has seen it

on_signal() # NAME STATUS
{
	heard=$2
	alarm=$1
	if [ -n "$child" ]; then
		# Of a hang-up the trainer doesn't know that it should save.
		kill -s "${1/HUP/TERM}" -- "-$child" 2>/dev/null || :
	else
		exit "$2"
	fi
}

# run COMMAND...: to its end, in a process group of its own. Returns its status.
run()
{
	local status

	set -m
	"$@" </dev/null &
	child=$!
	set +m
	while :; do
		alarm=''
		wait "$child"
		status=$?
		[ -n "$alarm" ] || break
	done
	child=''
	return "$status"
}

alive()
{
	kill -0 "$1" 2>/dev/null
}

# gone PID TENTHS: waits for a process to end.
gone()
{
	local n

	for ((n = 0; n < $2; n++)); do
		alive "$1" || return 0
		sleep 0.1
	done
	return 1
}

mounted()
{
	# The kernel's table: a mount that hangs must not hang us.
	awk -v point="$work/mnt" '$5 == point { found = 1 } END { exit !found }' /proc/self/mountinfo
}

# mount_source SOURCE: on $work/mnt, or the program's own sentence and the end. The daemon
# is in a session of its own, where Ctrl-C doesn't reach it.
mount_source()
{
	local options=metadata_ttl=forever

	[ -z "$endpoint" ] || [ "$way" != s3-streaming ] || options+=",endpoint_url=$endpoint"
	[ -z "$mount_options" ] || options+=",$mount_options"
	mkdir "$work/mnt"
	setsid s3samplefs -f "$1" "$work/mnt" -o "$options" </dev/null >"$out/mount.log" 2>&1 &
	daemon=$!
	until mounted; do
		if ! alive "$daemon"; then
			wait "$daemon" || :
			daemon=''
			cat "$out/mount.log" >&2
			exit 1
		fi
		sleep 0.05
	done
	grep ' warn: ' "$out/mount.log" >&2 || :
}

unmount()
{
	local n

	mounted || [ -z "$daemon" ] || kill "$daemon" 2>/dev/null
	for ((n = 0; n < 20; n++)); do
		mounted || break
		fusermount3 -u "$work/mnt" 2>/dev/null || umount "$work/mnt" 2>/dev/null || sleep 0.1
	done
	if mounted; then
		say "the mount is in use; detaching it"
		fusermount3 -u -z "$work/mnt" || umount -l "$work/mnt"
		[ -z "$daemon" ] || kill "$daemon" 2>/dev/null
	fi
	[ -n "$daemon" ] || return 0
	gone "$daemon" 100 || kill "$daemon" 2>/dev/null
	gone "$daemon" 50 || kill -KILL "$daemon" 2>/dev/null
	wait "$daemon" 2>/dev/null
	daemon=''
}

clean_up()
{
	local job

	trap '' INT TERM HUP # it is short, and has to be whole
	# Jobs, and not $child: a signal may have come before a job had a name.
	for job in $(jobs -p); do
		[ "$job" = "$daemon" ] || kill -KILL -- "-$job" 2>/dev/null || kill -KILL "$job" 2>/dev/null
	done
	[ -z "$work" ] || {
		unmount
		rm -rf --one-file-system "$work"
	}
}

# ---- the ways ----------------------------------------------------------------------

start=$EPOCHREALTIME began='' ended=''

train() # DATA
{
	local status

	began=$EPOCHREALTIME
	run s3sample-train --data "$1" --out "$out" "${trainer_options[@]}"
	status=$?
	ended=$EPOCHREALTIME
	return "$status"
}

samples_of() # MOUNT
{
	printf '%s' "$1/samples${samples:+@$samples}"
}

# sizes FOLDER: of the files below it, one a line. A mount answers from its listings.
sizes()
{
	find "$1" -type f -printf '%s\n'
}

report() # ARGUMENT...
{
	python3 "$(dirname "$0")/training_cost.py" --way "$way" --source "s3://$place" \
		--stats "$work/stats.json" --log "$out/log.jsonl" \
		--times "$start" "$began" "$ended" --json "$out/cost.json" "$@" >&2
}

# keep_stats: the mount's counters, which end with it.
keep_stats()
{
	cat "$work/mnt/.s3samplefs/stats.json" >"$work/stats.json" 2>/dev/null
}

# train_mounted SOURCE: a mount, a training from it, its counters.
train_mounted()
{
	local status

	mount_source "$1"
	[ -d "$(samples_of "$work/mnt")" ] ||
		die "--samples $samples: $(tail -n 1 "$work/mnt/.s3samplefs/errors" | sed 's/.*: *//')"
	train "$(samples_of "$work/mnt")"
	status=$?
	if ! keep_stats; then
		say "the mount died, see $out/mount.log"
		[ "$status" -ne 0 ] || status=1
	fi
	return "$status"
}

s3_streaming()
{
	local listing=()

	train_mounted "s3://$place" || return
	if [ -d "$work/mnt/raw" ] && sizes "$work/mnt/raw" >"$work/listing"; then
		listing=(--listing "$work/listing")
	fi
	keep_stats # again: this listing is on the bill as well
	report "${listing[@]}" || :
}

# copy_bucket: by awscli. Sets $copy; $work/copied gets the sizes of what was copied now.
copy_bucket()
{
	local quiet=(--only-show-errors) status

	[ -n "$copy" ] || copy=$work/copy
	mkdir -p "$copy" || exit 1
	[ ! -t 1 ] || quiet=()
	touch "$work/before"
	run aws s3 sync "s3://$place" "$copy" "${quiet[@]}" ${endpoint:+--endpoint-url "$endpoint"} \
		2>"$work/complaints"
	status=$?
	[ -z "$heard" ] || exit "$heard"
	[ "$status" -eq 0 ] ||
		die "s3://$place could not be copied: $(grep . "$work/complaints" | tail -n 1)"
	cat "$work/complaints" >&2
	find "$copy" -type f -cnewer "$work/before" -printf '%s\n' >"$work/copied"
	sizes "$copy" >"$work/listing"
	[ -s "$work/listing" ] || die "nothing was copied: there is nothing below s3://$place"
}

aws_copy()
{
	copy_bucket
	train_mounted "dir:$copy" || return
	report --listing "$work/listing" --copied "$work/copied" || :
}

local_folder()
{
	[ -d "$place" ] || die "$place: is not a folder"
	if [ -d "$place/.s3samplefs" ]; then
		train "$(samples_of "$place")"
	elif [ -n "$samples" ]; then
		die "--samples: $place is a folder of arrays as they are, not a mount"
	else
		train "$place"
	fi
}

main()
{
	read_line "$@"
	check_line
	check_programs
	check_trainer
	mkdir -p "$out" || exit 1
	trap clean_up EXIT
	trap 'on_signal INT 130' INT
	trap 'on_signal TERM 143' TERM
	trap 'on_signal HUP 129' HUP
	work=$(mktemp -d "$(realpath "${TMPDIR:-/tmp}")/s3sample-run.XXXXXX") || exit 1
	case $way in
	s3-streaming) s3_streaming ;;
	aws) aws_copy ;;
	local) local_folder ;;
	esac
}

main "$@"
