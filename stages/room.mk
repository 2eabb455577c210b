STAGES_SRC := \
	stages/stages.c \
	stages/enhance.c \
	stages/ladder.c \
	stages/generate/generate.c \
	stages/generate/latents.c \
	stages/generate/tiers.c \
	stages/generate/torch_random.c \
	stages/generate/unipc.c \
	stages/generate/verdict.c \
	stages/generate/encoding.c \
	stages/generate/family.c \
	stages/generate/keyframe.c \
	stages/generate/sampling.c \
	stages/generate/session.c \
	stages/generate/presets.c \
	stages/generate/settings.c \
	stages/generate/shots.c \
	stages/generate/step_cache.c \
	stages/generate/t5_text.c \
	stages/generate/wan.c

STAGES_SRC += \
	stages/generate/ddim.c \
	stages/generate/euler.c \
	stages/generate/euler_ancestral.c \
	stages/generate/flow_euler.c \
	stages/generate/noise_schedule.c \
	stages/generate/sampler.c \
	stages/generate/sampler_choice.c \
	stages/generate/sampler_config.c \
	stages/generate/sampler_state.c

STAGES_SRC += \
	stages/composite/block.c \
	stages/composite/composite.c \
	stages/composite/fonts.c \
	stages/composite/layer.c \
	stages/composite/layout.c \
	stages/composite/markup.c \
	stages/composite/overlays.c \
	stages/composite/styles.c \
	stages/composite/text.c \
	stages/composite/typeset.c \
	stages/decode/card.c \
	stages/decode/colour.c \
	stages/decode/decode.c \
	stages/decode/footage.c \
	stages/decode/generated.c \
	stages/decode/interpolate.c \
	stages/decode/master.c \
	stages/decode/picture.c \
	stages/decode/picture_lane.c \
	stages/decode/picture_stream.c \
	stages/decode/place.c \
	stages/decode/rehearsal.c \
	stages/decode/resample.c \
	stages/decode/still.c \
	stages/decode/tiling.c \
	stages/decode/upscaler.c \
	stages/decode/upscaler_choice.c \
	stages/decode/vae_limits.c \
	stages/decode/vae_session.c \
	stages/encode/codecs.c \
	stages/encode/encode.c \
	stages/encode/output.c \
	stages/encode/proxy.c \
	stages/encode/tiff_profile.c \
	stages/encode/titles.c \
	stages/encode/verify.c \
	stages/media/convert.c \
	stages/media/media.c \
	stages/media/reader.c \
	stages/media/sink.c \
	stages/media/watch.c \
	stages/media/writer.c

STAGES_SRC += \
	stages/generate/sdxl.c \
	stages/generate/sdxl_text.c \
	stages/generate/unet.c \
	stages/generate/unet_2d.c \
	stages/generate/unet_config.c \
	stages/generate/unet_context.c \
	stages/generate/unet_load.c \
	stages/generate/unet_resnet.c \
	stages/generate/unet_spatio_temporal.c \
	stages/generate/unet_transformer.c \
	stages/generate/unet_work.c

STAGES_SRC += \
	stages/decode/wan_vae.c \
	stages/decode/wan_vae_load.c \
	stages/decode/wan_vae_work.c \
	stages/generate/wan_transformer.c \
	stages/generate/wan_transformer_load.c \
	stages/parity/chain.c \
	stages/parity/parity.c \
	stages/parity/report.c \
	stages/parity/schedulers.c \
	stages/parity/sdxl.c \
	stages/parity/tolerances.c \
	stages/parity/unet.c \
	stages/parity/wan.c

STAGES_SRC += \
	stages/decode/hunyuan_vae.c \
	stages/decode/hunyuan_vae_load.c \
	stages/decode/hunyuan_vae_pass.c \
	stages/decode/hunyuan_vae_work.c \
	stages/generate/conditions.c \
	stages/generate/hunyuan.c \
	stages/generate/hunyuan_conditioning.c \
	stages/generate/hunyuan_text.c \
	stages/generate/hunyuan_transformer.c \
	stages/generate/hunyuan_transformer_load.c \
	stages/parity/hunyuan_video.c

STAGES_SRC += \
	stages/decode/cogvideox_vae.c \
	stages/decode/cogvideox_vae_load.c \
	stages/decode/cogvideox_vae_work.c \
	stages/generate/cogvideox.c \
	stages/generate/cogvideox_positions.c \
	stages/generate/cogvideox_transformer.c \
	stages/generate/cogvideox_transformer_load.c \
	stages/generate/cogvideox_workspace.c \
	stages/parity/cogvideox.c

STAGES_SRC += \
	stages/decode/image_vae.c \
	stages/decode/image_vae_blocks.c \
	stages/decode/image_vae_decoder.c \
	stages/decode/image_vae_encoder.c \
	stages/decode/image_vae_temporal.c \
	stages/decode/picture_file.c \
	stages/decode/temporal_vae.c \
	stages/generate/svd.c \
	stages/generate/svd_picture.c \
	stages/parity/svd.c

STAGES_SRC += \
	stages/film/ahead.c \
	stages/film/check.c \
	stages/film/contact_sheet.c \
	stages/film/cut.c \
	stages/film/fit.c \
	stages/film/lettering.c \
	stages/film/mix.c \
	stages/film/render.c \
	stages/film/soundtrack.c \
	stages/film/source.c

STAGES_SRC += \
	stages/forecast/checkpoint.c \
	stages/forecast/films.c \
	stages/forecast/fit.c \
	stages/forecast/forecast.c \
	stages/forecast/machine.c

STAGES_SRC += \
	stages/models/files.c \
	stages/models/inspect.c \
	stages/models/layout.c \
	stages/models/published.c \
	stages/models/weights.c

STAGES_SRC += \
	stages/sound/espeak.c \
	stages/sound/files.c \
	stages/sound/graph.c \
	stages/sound/mix.c \
	stages/sound/program.c \
	stages/sound/sound.c

STAGES_TESTS := \
	tests/stages/test_described_machine.c \
	tests/stages/test_dry_processor.c \
	tests/stages/test_forecast.c \
	tests/stages/test_generate.c \
	tests/stages/test_hunyuan_video.c \
	tests/stages/test_batch.c \
	tests/stages/test_cogvideox.c \
	tests/stages/test_damaged_checkpoints.c \
	tests/stages/test_image_vae.c \
	tests/stages/test_inspect.c \
	tests/stages/test_latents.c \
	tests/stages/test_parity.c \
	tests/stages/test_picture_lane.c \
	tests/stages/test_picture_stream.c \
	tests/stages/test_published.c \
	tests/stages/test_sampler_settings.c \
	tests/stages/test_samplers.c \
	tests/stages/test_tiling.c \
	tests/stages/test_vae_graphs.c \
	tests/stages/test_svd.c \
	tests/stages/test_sdxl.c \
	tests/stages/test_tiers.c \
	tests/stages/test_torch_random.c \
	tests/stages/test_upscaler.c \
	tests/stages/test_sampling.c \
	tests/stages/test_unet.c

STAGES_TESTS += \
	tests/stages/test_composite.c \
	tests/stages/test_decode.c \
	tests/stages/test_decode_footage.c \
	tests/stages/test_decode_ladder.c \
	tests/stages/test_decode_still.c \
	tests/stages/test_deliverables.c \
	tests/stages/test_encode.c \
	tests/stages/test_interpolate.c \
	tests/stages/test_film_render.c \
	tests/stages/test_ladder.c \
	tests/stages/test_media.c \
	tests/stages/test_memory_modes.c \
	tests/stages/test_sound.c

# Loops over every pixel.
$(patsubst %,$(BUILD)/stages/%.o,decode/generated decode/master decode/resample decode/upscaler \
  encode/titles encode/verify film/mix media/convert media/watch): CFLAGS += -O3 -fno-trapping-math
# Loops over every number of latents, for which a device waits.
$(patsubst %,$(BUILD)/stages/generate/%.o,euler euler_ancestral sampler): CFLAGS += -O3
