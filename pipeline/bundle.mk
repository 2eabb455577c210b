# `make bundle`: build/bundle, a folder that runs where none of the packages are installed: the
# program, its data, the shared objects it needs (all but glibc, which every system has, and the
# GPU's driver) and, where it has been built, the CUDA object. cuBLAS and cuDNN come with CUDA; they
# are not in it.
BUNDLE := $(BUILD)/bundle

.PHONY: bundle
bundle: all
	rm -rf $(BUNDLE)
	mkdir -p $(BUNDLE)/lib $(BUNDLE)/share
	$(CC) $(LDFLAGS) $(OPT) -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/lib' -o $(BUNDLE)/auteur-pipe \
	  $(BUILD)/pipeline/main.o $(BUILD)/libauteur.a $(LDLIBS)
	strip $(BUNDLE)/auteur-pipe
	cp -rL $(DATA) $(BUNDLE)/share/
	find $(BUNDLE)/share/auteur-pipe/smoke -name 'golden*' -delete
	pipeline/bundle $(BUNDLE)/auteur-pipe $(BUNDLE)/lib
	if [ -f $(BUILD)/libauteur-cuda.so ]; then $(MAKE) cuda && \
	  cp $(BUILD)/libauteur-cuda.so $(BUNDLE)/lib/ && strip $(BUNDLE)/lib/libauteur-cuda.so; fi
	@du -sh $(BUNDLE)
