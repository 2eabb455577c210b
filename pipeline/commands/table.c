#include "pipeline/commands/command.h"

#include <string.h>

const struct command commands_all[] = {
    {"run", "BOARD.yaml", 1, 1, "make the shots of a storyboard",
     "Reads the storyboard, decides which stages of which shots are not up to date, and makes "
     "them. What a stage has made is kept: editing one overlay makes that shot's titles and its "
     "delivery again and nothing else. A shot that fails never stops the others.\n\n"
     "Ctrl-C finishes the sampler step in hand, saves a checkpoint and exits 130; a second one "
     "stops at once. Either way `resume` goes on from there. What is printed may be left unread "
     "(`| head`): the run goes on.",
     command_run},
    {"resume", "[DIR]", 0, 1, "go on with a production that stopped",
     "Runs the storyboard that DIR was made from again, with the options of that run. Finished "
     "work is not repeated, failed shots are tried again. Without DIR: the only production in "
     "the current folder or under ./out.",
     command_resume},
    {"status", "[DIR]", 0, 1, "what is delivered, what failed, what is left",
     "Reads the journal only, so it may be asked while a run goes on. Shows how far every stage "
     "is, its time and peak memory, and every failed shot with its reason. Where a model's folder "
     "is away, what was made with it is told as it was last made, with the folder's name.",
     command_status},
    {"check", "BOARD.yaml", 1, 1, "find the mistakes before anything is made",
     "Reports every problem of the storyboard as file:line:column, then what only the stages "
     "know: fonts and glyphs, source clips, models. Generates nothing and writes nothing.",
     command_check},
    {"plan", "BOARD.yaml", 1, 1, "what a storyboard would take, and whether it fits",
     "Goes through every tier's models without computing anything and tells for each stage its "
     "weights, activations and workspace on the GPU, what it takes of the host and reads of the "
     "disk, and how long it would work, on this machine or on one that --gpu describes. Where a "
     "checkpoint is not there "
     "yet, the published one's sizes are taken: ask before you download.\n\n"
     "A stage fits when a tenth of what it needs is left over, models taking turns on one GPU as "
     "in a run; whether all would fit at once, without offload, is told besides. Exits 3 when a "
     "run would not fit, and says what would help; 2 when check would refuse a shot, which is told "
     "with its line while the others are planned.",
     command_plan},
    {"prompt", "[BOARD.yaml]", 0, 1, "what the model will be told",
     "Shows for every shot (or for --text) the prompt after enhancement, with what was taken out "
     "or added and why, the negative prompt, the words that became overlays, and the token counts "
     "against the tier's limit.",
     command_prompt},
    {"why", "[SHOT] [DIR]", 0, 2, "which input changed, and what running would cost",
     "Names, for one shot or for every shot that is not up to date, the input that changed since "
     "it was made, with its old and new value, the stages that would run, and how long they "
     "took before. Makes nothing.",
     command_why},
    {"conform", "[DIR] [SHOT=N ...]", 0, OPERANDS, "which version of each shot the timelines show",
     "Every delivery of a shot is a version: shots/ID/ID_v001.mp4, ID_v002.mp4 ..., never written "
     "over. ID.mp4 points to the newest approved one, or the newest where none is approved, and so "
     "do the timelines. r001=2 puts version 2 of r001 into the timelines instead, r001=current "
     "takes "
     "that back; the timelines are written anew. Without a choice it only tells.",
     command_conform},
    {"rerun", "FILE", 1, 1, "make a shot again from its delivered file",
     "Every delivered film carries its recipe in its metadata, a folder of pictures in "
     "recipe.json: all that the storyboard and the command line said for the shot, and the digests "
     "of the "
     "models that made it. rerun makes the shot from that in a production of its own, says which "
     "models or sources are not what they were, and whether the same bytes came out.",
     command_rerun},
    {"watch", "[BOARD|DIR]", 0, 1, "the review page, live, while a run goes on",
     "Serves the production's review page at a local address and prints it: as a run in another "
     "window goes on, states and progress move, what is being sampled is seen as a preview of its "
     "latents, and finished shots appear and play. Ctrl-C ends it. Served are the page and the "
     "files that it refers to, to this machine alone unless --listen says otherwise.",
     command_watch},
    {"notes", "[import FILE] [BOARD|DIR]", 0, 3, "what was said of the shots; take an export in",
     "Prints the notes and verdicts that the journal has of a production's shots. import FILE puts "
     "in what its review page, index.html, exported: a note that is there already is not doubled, "
     "newer words of it replace the older. The page shows them at once. A file that is not such an "
     "export, is another board's or names shots that the board has not is refused whole.",
     command_notes},
    {"journal", "dump|check|salvage [DIR]", 1, 2, "read, verify or rescue the journal",
     "dump prints every record and event. check reads every page and verifies every checksum. "
     "salvage copies what can still be read into a new journal and keeps the damaged one beside "
     "it.",
     command_journal},
    {"models", "[inspect DIR]", 0, 2, "which models are there, what a folder is",
     "Lists the tiers: where each one's checkpoint is looked for, whether it is there and whole, "
     "what it takes on disk, and otherwise which repository to download.\n\n"
     "inspect DIR says what a folder is, which tier it serves, the class, dtype and size of each "
     "component, and everything that is missing, cut short or of another shape. Only configs and "
     "the headers of weight files are read. Exits 3 when there is a fault.",
     command_models},
    {"parity", "DIR...", 1, OPERANDS, "compare the engine with a checkpoint's golden tensors",
     "Loads the checkpoint in DIR, feeds every module its golden input, runs the chain from "
     "prompt and seed to frames, and prints a line a tensor: name, relative L2 error, tolerance. "
     "DIR may be a folder of checkpoints. Several end in a table: checks, worst module, worst of "
     "the chain, how much of a tolerance was used up at most. Exits 0 only when all hold.",
     command_parity},
    {"verify", "", 0, 0,
     "what this machine's hardware is and reaches, and whether it should do better",
     "Tells the driver, the GPU and its memory, and measures copies, matrix products, attention, "
     "convolutions, the processor and the disk that the models lie on (with --models), and with "
     "several GPUs the way between them. Every figure has a threshold: a share of what the maker "
     "says of H100, H200, GB10 and the RTX 50 series, of others of what the device reports. A FAIL "
     "means a machine that is throttled, shared, capped or broken; a SKIP says why something could "
     "not be measured. Takes some ten seconds a GPU.\n\n"
     "--smoke makes a tiny film with every tier instead, from prompt to file, on the device that "
     "would be used: the embedded model, and models of random weights that come with the "
     "program.\n\n"
     "--json prints one object: checks (name, title, gpu, value, threshold, unit, status, note), "
     "how "
     "many passed, failed and were skipped, and the verdict. Exits 0 when nothing fails, 3 when "
     "something does.",
     command_verify},
    {"bench", "vae [DIR|TIER]...", 1, OPERANDS, "how fast this machine decodes",
     "vae decodes noise with the VAE of each checkpoint (a folder, or a tier's; otherwise of every "
     "tier that is there) and prints milliseconds a frame, frames a second, the memory that was "
     "taken on a GPU, and the share of a convolution's rate that was measured beside. With "
     "--vae-tile it "
     "also decodes whole and prints how far the two are apart, at most and on average, on all "
     "pixels and where tiles meet.",
     command_bench},
    {"help", "[COMMAND]", 0, 1, "this overview, one command in full, or the storyboard format",
     "help COMMAND tells all of a command; help storyboard tells how a storyboard is written.",
     command_help},
    {"version", "", 0, 0, "the program's version and what it is built on", "", command_version},
};
const size_t commands_count = sizeof commands_all / sizeof commands_all[0];

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < commands_count; i++)
        if (strcmp(commands_all[i].name, name) == 0)
            return &commands_all[i];
    return NULL;
}
