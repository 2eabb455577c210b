"""The text side of training: SentencePiece with T5's conventions, and embeddings as WanPipeline makes them."""
import sentencepiece
import torch

LENGTH = 128  # the pipeline pads embeddings to this many tokens with zeros


class Tokenizer:
    def __init__(self, folder):
        self.sp = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/spiece.model")
        self.model_max_length = LENGTH

    def ids(self, text):
        return self.sp.encode(text)[:LENGTH - 1] + [1]

    def rows(self, texts):
        out = torch.zeros(len(texts), LENGTH, dtype=torch.int16)
        for i, t in enumerate(texts):
            row = self.ids(t)
            out[i, :len(row)] = torch.tensor(row, dtype=torch.int16)
        return out


def embed(encoder, ids):
    """Token rows (B, LENGTH), 0-padded, to embeddings with zeros after the last token, as WanPipeline makes them."""
    ids = ids.long()
    used = int((ids != 0).sum(1).max())
    mask = ids[:, :used] != 0
    h = encoder(ids[:, :used], attention_mask=mask.long()).last_hidden_state * mask[..., None]
    return torch.nn.functional.pad(h, (0, 0, 0, LENGTH - used))
