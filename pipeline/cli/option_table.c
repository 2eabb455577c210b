#include "pipeline/cli/options.h"

static const char *const tiers[] = {"previs",   "validator", "workhorse", "experimental",
                                    "flagship", "picture",   NULL};
static const char *const presets[] = {"balanced", "batch", "quality", NULL};
static const char *const devices[] = {"auto", "cpu", "cuda", NULL};
static const char *const precisions[] = {"f32", "bf16", "f16", "fp8", NULL};
static const char *const step_caches[] = {"off", "first-block", "timestep", NULL};
static const char *const memories[] = {"auto", "safe", "speed", NULL};
static const char *const shells[] = {"bash", "zsh", "fish", NULL};

#define FIELD(name) offsetof(struct options, name)

const struct option options_all[] = {
    {.name = "output",
     .letter = 'o',
     .type = OPTION_DIR,
     .offset = FIELD(output),
     .initial = "",
     .argument = "DIR",
     .commands = " run ",
     .help = "The production directory; out/NAME when not given, NAME being the storyboard's."},
    {.name = "tier",
     .letter = 't',
     .type = OPTION_CHOICE,
     .offset = FIELD(tier),
     .choices = tiers,
     .initial = "",
     .argument = "TIER",
     .commands = " run check plan prompt ",
     .help = "Generate every shot with this tier, whatever the storyboard says. Stills, footage "
             "and cards stay what they are."},
    {.name = "only",
     .type = OPTION_STRING,
     .offset = FIELD(only),
     .initial = "",
     .argument = "GLOB",
     .commands = " run check plan prompt ",
     .help = "Only the shots whose id matches: 'sc02-*'."},
    {.name = "jobs",
     .letter = 'j',
     .type = OPTION_INT,
     .offset = FIELD(jobs),
     .min = 0,
     .max = 256,
     .initial = "0",
     .argument = "N",
     .commands = " run resume ",
     .help = "How many shots are composited and encoded at once beside the model's work; 0 takes "
             "half of the machine's cores, at most 8."},
    {.name = "models",
     .letter = 'm',
     .type = OPTION_DIR,
     .offset = FIELD(models),
     .initial = "",
     .argument = "DIR",
     .commands = " run check plan prompt models verify ",
     .help = "Where the tiers' checkpoints are, one folder a tier. Otherwise AUTEUR_MODELS, and "
             "what the storyboard says."},
    {.name = "text",
     .type = OPTION_STRING,
     .offset = FIELD(text),
     .initial = "",
     .argument = "TEXT",
     .commands = " prompt ",
     .help = "A prompt to enhance, in place of a storyboard's."},
    {.name = "golden",
     .type = OPTION_STRING,
     .offset = FIELD(golden),
     .initial = "",
     .argument = "NAME",
     .commands = " parity ",
     .help = "Compare with DIR/golden.NAME.json alone rather than with every golden in DIR; a path "
             "names a golden elsewhere."},
    {.name = "device",
     .type = OPTION_CHOICE,
     .offset = FIELD(device),
     .choices = devices,
     .initial = "",
     .argument = "DEVICE",
     .commands = " run resume plan parity verify ",
     .help =
         "What runs the models: the processor (cpu), an NVIDIA GPU (cuda), or a GPU where there "
         "is one (auto, unless said otherwise; parity takes the processor)."},
    {.name = "step-cache",
     .type = OPTION_CHOICE,
     .offset = FIELD(step_cache),
     .choices = step_caches,
     .initial = "",
     .argument = "MODE",
     .commands = " run check plan ",
     .help = "Let sampler steps that change little take what the video model's blocks gave before: "
             "first-block compares what the first block adds, timestep what it reads. Otherwise "
             "as the storyboard says, or off."},
    {.name = "step-cache-threshold",
     .type = OPTION_NUMBER,
     .offset = FIELD(step_cache_threshold),
     .min = 0,
     .max = 10,
     .initial = "0",
     .argument = "X",
     .commands = " run check plan ",
     .help = "The relative L1 distance from the last computed step below which a step is reused; 0 "
             "takes what suits the mode."},
    {.name = "preset",
     .type = OPTION_CHOICE,
     .offset = FIELD(preset),
     .choices = presets,
     .initial = "",
     .argument = "PRESET",
     .commands = " run check plan ",
     .help = "How SDXL makes pictures and keyframes: balanced (30 steps, 4 shots at once; unless "
             "said otherwise), batch (20 steps, 16 at once) or quality (50 steps, 4 at once). A "
             "shot's own steps count before it."},
    {.name = "batch",
     .type = OPTION_INT,
     .offset = FIELD(batch),
     .min = 0,
     .max = 16,
     .initial = "0",
     .argument = "N",
     .commands = " run resume ",
     .help = "How many pictures of the same settings SDXL makes at once, at most; 0 as the preset "
             "says. On a processor the pictures are the same bytes either way, on a GPU to within "
             "rounding."},
    {.name = "gpu",
     .type = OPTION_STRING,
     .offset = FIELD(gpu),
     .initial = "",
     .argument = "GPU",
     .commands = " plan ",
     .help = "The machine to plan for rather than this one: how many GPUs and how much memory each "
             "(2x49GiB; 1x128GiB,unified) or which (h200, 2xa6000, gb10, 5090); bandwidth and "
             "speed may follow (24GiB,1008GB/s,165TFLOP/s)."},
    {.name = "precision",
     .type = OPTION_CHOICE,
     .offset = FIELD(precision),
     .choices = precisions,
     .initial = "",
     .argument = "DTYPE",
     .commands = " run resume plan parity ",
     .help =
         "What a GPU computes in. fp8: the large layers of the video models with FP8 weights and "
         "inputs, on Hopper GPUs their long attention in 8 bits as well, all else in bf16: faster "
         "and less memory, and nearly the same picture. "
         "Otherwise each model in the dtype that it was published for; parity in f32 (also "
         "bf16, f16). A processor always computes in f32."},
    {.name = "memory",
     .type = OPTION_CHOICE,
     .offset = FIELD(memory),
     .choices = memories,
     .initial = "",
     .argument = "MODE",
     .commands = " run resume plan parity ",
     .help =
         "Where a model's weights stay while it works: all on the GPU (speed); on the host, from "
         "where they come block by block while others work, for a GPU that is small or shared "
         "(safe); or on the GPU where they fit what is free there (auto, unless said "
         "otherwise)."},
    {.name = "no-offload",
     .type = OPTION_FLAG,
     .offset = FIELD(no_offload),
     .commands = " run resume plan parity ",
     .help = "The same as --memory speed."},
    {.name = "compile",
     .type = OPTION_FLAG,
     .offset = FIELD(compile),
     .commands = " run resume ",
     .help = "Look for the fastest algorithm of every product and convolution on the GPU, where "
             "otherwise the best few guesses are timed and only where it can matter. What was "
             "found is kept by GPU and library version: only the first run takes longer."},
    {.name = "json",
     .type = OPTION_FLAG,
     .offset = FIELD(json),
     .commands = " run resume status plan prompt journal models verify ",
     .help = "JSON on standard output: for run and resume one event a line."},
    {.name = "verbose",
     .letter = 'v',
     .type = OPTION_FLAG,
     .offset = FIELD(verbose),
     .commands = " run resume parity verify ",
     .help = "One line for each optimisation as it takes effect, or with the reason why it does "
             "not, and a summary at the end. With --json these are events, with or without this "
             "option."},
    {.name = "monitor",
     .type = OPTION_FLAG,
     .offset = FIELD(monitor),
     .commands = " run resume ",
     .help = "Watch the machine meanwhile, four times a second: the GPU's memory, how busy it and "
             "its memory are, its power, and the host's memory. The peaks of every stage go into "
             "the journal and the shots' JSON, the last minute is shown by status."},
    {.name = "watch",
     .letter = 'w',
     .type = OPTION_FLAG,
     .offset = FIELD(watch),
     .commands = " status ",
     .help = "Show it again every two seconds until the run ends."},
    {.name = "smoke",
     .type = OPTION_FLAG,
     .offset = FIELD(smoke),
     .commands = " verify ",
     .help = "A tiny film with every tier, from prompt to file, instead of measurements."},
    {.name = "help",
     .letter = 'h',
     .type = OPTION_FLAG,
     .offset = FIELD(help),
     .help = "What a command does and which options it takes."},
    {.name = "version",
     .letter = 'V',
     .type = OPTION_FLAG,
     .offset = FIELD(version),
     .help = "The program's version and what it is built on."},
    {.name = "man",
     .type = OPTION_FLAG,
     .offset = FIELD(man),
     .commands = "",
     .help = "Print the manual page. To read it: auteur-pipe --man | man -l -"},
    {.name = "completion",
     .type = OPTION_CHOICE,
     .offset = FIELD(completion),
     .choices = shells,
     .initial = "",
     .argument = "SHELL",
     .commands = "",
     .help = "Print a completion script. In bash: source <(auteur-pipe --completion bash)."},
};
const size_t options_count = sizeof options_all / sizeof options_all[0];
