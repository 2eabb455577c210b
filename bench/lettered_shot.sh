# For bench/*.sh, which source it: a shot with text, and rounds of what ours and theirs take for it.
# Wants $program, $rounds, $deliver (the board's words for it), $what, $wanted and theirs(), which
# encodes $master with titles.ass.
command -v ffmpeg >/dev/null || { echo "$what: the ffmpeg command is not installed"; exit 0; }
picture=$(realpath "$(dirname "$0")/../storyboards/demo/lighthouse.jpg")
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
cd "$dir"

board() { cat > board.yaml <<YAML
name: bench
fps: 24
size: 1280x720
deliver: {$deliver}
shots:
  - id: a
    source: {still: $picture, move: push-in, amount: 0.12}
    duration: 5s
    overlays:
      - {style: caption, text: The light at the harbour mouth $1, in: 0.3, out: 4.5, fade: 0.3}
      - {style: lower-third, text: North Atlantic, subtext: "05:40, wind north-west", in: 0.2}
YAML
}
cat > titles.ass <<'ASS'
[Script Info]
ScriptType: v4.00+
PlayResX: 1280
PlayResY: 720
[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Caption,Noto Sans,49,&H00FFFFFF,&H00FFFFFF,&H1A000000,&H00000000,0,0,0,0,100,100,0,0,1,2.16,0,2,64,64,90,1
Style: Lower,Noto Sans,47,&H00FFFFFF,&H00FFFFFF,&H471C1611,&H471C1611,1,0,0,0,100,100,0,0,3,12,0,1,64,64,36,1
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.30,0:00:04.50,Caption,,0,0,0,,{\fad(300,300)\blur1}The light at the harbour mouth
Dialogue: 0,0:00:00.20,0:00:05.00,Lower,,0,0,0,,North Atlantic\N{\fs33\b0}05:40, wind north-west
ASS
colours="-color_primaries bt709 -color_trc bt709 -colorspace bt709 -color_range tv"
x264="-c:v libx264 -preset medium -profile:v high -crf 14 -g 24 -flags +cgop -threads 4 -x264-params cpu-independent=1"
scale="scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd"
to="$colours -movflags +faststart -timecode 01:00:00:00"

ours() { "$program" run board.yaml -o out >ours.log 2>&1 || { cat ours.log >&2; exit 1; }; }
# Prints wall and processor seconds of a function.
TIMEFORMAT='%R %U %S'
timed() { { time "$1"; } 2>&1 | awk '{ print $1, $2 + $3 }'; }
best() { awk -v c="$2" 'NR == 1 || $c < m { m = $c } END { print m }' "$1"; }

# Rounds take turns; the best of each counts. Wall time and processor time are told apart, because
# wall time means little while other programs run.
compare() {
    board 0; ours
    master=$(ls out/.auteur/artefacts/*.master.mkv)
    for i in $(seq "$rounds"); do
        board "$i"
        timed ours >> ours.txt
        timed theirs >> theirs.txt
    done
    [ "$(ls out/.auteur/artefacts/*.master.mkv)" = "$master" ] || { echo "the master was made again" >&2; exit 1; }
    for column in 1 2; do
        awk -v a="$(best ours.txt $column)" -v b="$(best theirs.txt $column)" -v of="$([ $column = 1 ] && echo wall || echo processor)" -v what="$what" -v wanted="$wanted" \
            'BEGIN { printf "%s of 120 frames 1280x720, %s: ours %.2f s, ffmpeg %.2f s, ratio %.2f (wanted %s)\n", what, of, a, b, a / b, wanted }'
    done
}
