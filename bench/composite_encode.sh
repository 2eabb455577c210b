#!/usr/bin/env bash
# Composite + encode against the ffmpeg command line with its `ass` filter: the same lossless
# master, the same words, the same x264 settings. Usage: composite_encode.sh AUTEUR_PIPE [ROUNDS]
#
# Ours is everything that a change of an overlay costs: start, keys, journal, title layer, encoding,
# poster, decoding the delivered file again to check it, fsync. Theirs is one film, unchecked.
set -eu
program=$(realpath "$1"); rounds=${2:-3}
what="composite + encode"; wanted=1.1; deliver="layers: none, film: none"
. "$(dirname "$0")/lettered_shot.sh"

theirs() { ffmpeg -v error -y -i "$master" -vf "ass=titles.ass,$scale,format=yuv420p" $x264 $to theirs.mp4; }
compare
