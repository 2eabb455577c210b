#!/usr/bin/env bash
# Delivering a shot with text in every form that an editor gets, against the bare encodes by the ffmpeg
# command line, one command a file, from the same lossless master and with the same words: H.264 and
# ProRes 422 HQ and DNxHR HQX burned in, H.264 textless, the titles alone as ProRes 4444 with alpha;
# and the rough cut, which is of the H.264.
# Usage: deliver.sh AUTEUR_PIPE [ROUNDS]
#
# Ours is everything that a change of an overlay costs: start, keys, journal, title layer, encoding,
# poster, decoding every delivered file again to check it, fsync, timelines, contact sheet, review
# page. Theirs is unchecked.
set -eu
program=$(realpath "$1"); rounds=${2:-3}
what="six files"; wanted=1.2; deliver="codec: [h264, prores, dnxhr]"
. "$(dirname "$0")/lettered_shot.sh"

theirs() {
    local from="ffmpeg -v error -y -i $master"
    $from -vf "ass=titles.ass,$scale,format=yuv420p" $x264 $to theirs.mp4
    $from -vf "$scale,format=yuv420p" $x264 $to theirs.textless.mp4
    $from -vf "ass=titles.ass,$scale,format=yuv422p10" -c:v prores_ks -profile:v hq $to theirs.mov
    $from -vf "ass=titles.ass,$scale,format=yuv422p10" -c:v dnxhd -profile:v dnxhr_hqx $to theirs.dnxhr.mov
    ffmpeg -v error -y -f lavfi -i "color=black@0:s=1280x720:r=24:d=5,format=rgba" \
        -vf "ass=titles.ass:alpha=1,$scale,format=yuva444p10" -c:v prores_ks -profile:v 4444 $to theirs.titles.mov
    ffmpeg -v error -y -i theirs.mp4 -c:v libx264 -preset veryfast -profile:v high -crf 20 -g 24 -threads 4 \
        -x264-params cpu-independent=1 $to theirs.film.mp4
}
compare
