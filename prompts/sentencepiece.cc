/* Debian's library (0.1.97) weighs a segmentation's pieces in a mixture of float and double, so
 * that of two equally likely segmentations it may choose another one than the libraries that the
 * published models are used with (0.2 on), which add in float. So the library reads the model and
 * normalises the text, and the search for the most likely pieces stands here: T. Kudo, "Subword
 * Regularization" (2018), section 3, by the Viterbi algorithm. */
#include "prompts/sentencepiece.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sentencepiece_processor.h>

namespace
{

struct Piece {
    std::string_view text; /* in the processor's model */
    int id;
    float score;
};

/* The best segmentation of the text before some byte: its last piece. */
struct Path {
    float score = 0;
    int start = -1; /* where the last piece begins; -1: nothing ends here */
    int id = -1;
};

constexpr float UNKNOWN_PENALTY = 10.0f;

int character_length(unsigned char lead)
{
    return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

} // namespace

struct spm {
    sentencepiece::SentencePieceProcessor processor;
    std::vector<Piece> pieces; /* sorted by text */
    float unknown_score = 0;
    int byte_ids[256]; /* -1: the model has no pieces for bytes */

    void index();
    std::string normalise(std::string_view text) const;
    std::vector<Path> search(const std::string &text) const;
    void extend(const std::string &text, int start, int length, std::vector<Path> &paths) const;
    std::vector<int> backtrack(const std::string &text, const std::vector<Path> &paths) const;
};

void spm::index()
{
    std::fill(byte_ids, byte_ids + 256, -1);
    float lowest = 0;
    for (int id = 0; id < processor.GetPieceSize(); id++) {
        const std::string &text = processor.IdToPiece(id);
        if (processor.IsByte(id)) {
            unsigned byte;
            if (std::sscanf(text.c_str(), "<0x%2x>", &byte) == 1)
                byte_ids[byte & 255] = id;
        } else if (!processor.IsControl(id) && !processor.IsUnknown(id) &&
                   !processor.IsUnused(id)) {
            pieces.push_back({text, id, processor.GetScore(id)});
            lowest = std::min(lowest, processor.GetScore(id));
        }
    }
    unknown_score = lowest - UNKNOWN_PENALTY;
    std::sort(pieces.begin(), pieces.end(),
              [](const Piece &a, const Piece &b) { return a.text < b.text; });
}

/* The library gives no normalised text, but the pieces that it cut it into. */
std::string spm::normalise(std::string_view text) const
{
    std::vector<std::string> cut;
    std::string whole;
    auto status = processor.Encode(text, &cut);
    if (!status.ok())
        throw std::runtime_error(status.error_message());
    for (const std::string &piece : cut) {
        unsigned byte;
        if (processor.IsByte(processor.PieceToId(piece)) &&
            std::sscanf(piece.c_str(), "<0x%2x>", &byte) == 1)
            whole.push_back(static_cast<char>(byte));
        else
            whole += piece;
    }
    return whole;
}

/* Offers every piece that begins at `start`, whose character has `length` bytes. */
void spm::extend(const std::string &text, int start, int length, std::vector<Path> &paths) const
{
    const float here = paths[start].score;
    auto offer = [&](int end, float score, int id) {
        const float sum = here + score;
        if (paths[end].start < 0 || sum > paths[end].score)
            paths[end] = {sum, start, id};
    };
    bool single = false;
    auto low = pieces.begin(), high = pieces.end();
    for (size_t n = 0; start + n < text.size() && low != high; n++) {
        /* Of the pieces that share n bytes with the text, those that share the next one too. */
        auto byte = [n](const Piece &p) {
            return n < p.text.size() ? static_cast<unsigned char>(p.text[n]) : -1;
        };
        const int wanted = static_cast<unsigned char>(text[start + n]);
        low = std::partition_point(low, high, [&](const Piece &p) { return byte(p) < wanted; });
        high = std::partition_point(low, high, [&](const Piece &p) { return byte(p) == wanted; });
        if (low == high || low->text.size() != n + 1)
            continue;
        offer(static_cast<int>(start + n + 1), low->score, low->id);
        single |= static_cast<int>(n) + 1 == length;
    }
    if (!single)
        offer(start + length, unknown_score, processor.unk_id());
}

std::vector<Path> spm::search(const std::string &text) const
{
    const int size = static_cast<int>(text.size());
    std::vector<Path> paths(text.size() + 1);
    for (int at = 0; at < size;) {
        const int length =
            std::min(character_length(static_cast<unsigned char>(text[at])), size - at);
        extend(text, at, length, paths);
        at += length;
    }
    return paths;
}

/* Unknown characters become the pieces of their bytes, or one unknown id a run. */
std::vector<int> spm::backtrack(const std::string &text, const std::vector<Path> &paths) const
{
    std::vector<int> ids; /* from the last to the first */
    for (int end = static_cast<int>(text.size()); end > 0; end = paths[end].start) {
        const Path &path = paths[end];
        if (path.id != processor.unk_id())
            ids.push_back(path.id);
        else if (byte_ids[0] >= 0)
            for (int i = end - 1; i >= path.start; i--)
                ids.push_back(byte_ids[static_cast<unsigned char>(text[i])]);
        else if (ids.empty() || ids.back() != path.id)
            ids.push_back(path.id);
    }
    std::reverse(ids.begin(), ids.end());
    return ids;
}

static void say(char *message, const char *text)
{
    std::snprintf(message, SPM_MESSAGE, "%s", text);
}

struct spm *spm_new(const char *model, size_t size, char message[SPM_MESSAGE])
{
    try {
        auto s = std::make_unique<spm>();
        auto status = s->processor.LoadFromSerializedProto(std::string_view(model, size));
        if (status.ok()) {
            s->index();
            return s.release();
        }
        say(message, "it is no SentencePiece model, or a damaged one");
    } catch (const std::exception &x) {
        say(message, x.what());
    } catch (...) {
        say(message, "unknown failure");
    }
    return nullptr;
}

void spm_free(struct spm *s)
{
    delete s;
}

int spm_vocabulary(const struct spm *s)
{
    return s->processor.GetPieceSize();
}

int spm_eos(const struct spm *s)
{
    return s->processor.eos_id();
}

int spm_find(const struct spm *s, const char *piece)
{
    const int id = s->processor.PieceToId(piece);
    return s->processor.IsUnknown(id) && s->processor.IdToPiece(id) != piece ? -1 : id;
}

int spm_encode(const struct spm *s, const char *text, size_t size, int32_t *ids, int max,
               char message[SPM_MESSAGE])
{
    try {
        const std::string normal = s->normalise(std::string_view(text, size));
        const std::vector<int> all = s->backtrack(normal, s->search(normal));
        std::copy_n(all.begin(), std::min<size_t>(all.size(), max), ids);
        return static_cast<int>(all.size());
    } catch (const std::exception &x) {
        say(message, x.what());
    } catch (...) {
        say(message, "unknown failure");
    }
    return -1;
}
