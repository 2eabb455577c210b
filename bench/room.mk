BENCH_SRC := 
BENCH_TESTS := 

# The engine against PyTorch: bench/peer_torch.py build/bench/engine DIR
.DEFAULT_GOAL := all
$(BUILD)/bench/engine: $(BUILD)/bench/engine.o $(BUILD)/bench/peak.o $(BUILD)/libauteur.a
	$(CC) $(LDFLAGS) $(OPT) -o $@ $^ $(LDLIBS)
# Measures the very machine it is built on.
$(BUILD)/bench/peak.o: CFLAGS += -O3 -march=native -ffp-contract=fast
