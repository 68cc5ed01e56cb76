# Sourced by quickstart and check: which Debian packages there must be.
# shellcheck shell=bash disable=SC2034

BUILD_PACKAGES=(autoconf automake gcc libc6-dev make pkg-config
	libfuse3-dev libcurl4-openssl-dev libssl-dev libexpat1-dev libinih-dev uthash-dev
	libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libswresample-dev
	libsndfile1-dev libfftw3-dev libseccomp-dev)

# of s3sample-train
TRAINER_PACKAGES=(libdnnl-dev libjansson-dev libopenmpi-dev openmpi-bin)

RUN_PACKAGES=(fuse3 ca-certificates)

say()
{
	printf '%s\n' "$*" >&2
}

die()
{
	say "$(basename "$0"): $*"
	exit 1
}

# need_packages NAME...: installs those that are missing; fails if that fails.
need_packages()
{
	local missing=() name

	for name in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] ||
			missing+=("$name")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	say "Installing ${missing[*]}"
	apt-get -qq update &&
		DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends \
			"${missing[@]}" >/dev/null
}

# copy_source TO: the tree without what was built in it, so that root leaves no
# files in a user's checkout. Times are kept: what is unchanged isn't built again.
copy_source()
{
	local from
	from=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
	rm -rf "$1"
	mkdir -p "$1"
	tar -C "$from" --exclude=./.git --exclude='./build*' --exclude=./autom4te.cache \
		--exclude=__pycache__ --exclude=./config.status -cf - . | tar -C "$1" -xf -
}
