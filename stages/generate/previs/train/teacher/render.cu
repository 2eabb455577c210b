// All pictures of some clips. On a GPU a thread has a pixel; compiled as C++, OpenMP's threads
// share lines.
#include "trace.cuh"
#include "weather.cuh"

enum { EDGE = 4 }; // samples a pixel, at most

FN void pixel(const clip *c, const view *v, int px, int py, int width, int height, int samples,
              unsigned char *out)
{
    v3 sum = grey(0);
    for (int s = 0; s < samples; s++) {
        // rooks' places in the pixel: no two in a row or column
        const float off[EDGE][2] = {
            {0.125f, 0.625f}, {0.375f, 0.125f}, {0.625f, 0.875f}, {0.875f, 0.375f}};
        float x = px + (samples == 1 ? 0.5f : samples == 2 ? 0.25f + 0.5f * s : off[s][0]);
        float y = py + (samples == 1 ? 0.5f : samples == 2 ? 0.75f - 0.5f * s : off[s][1]);
        x = (2 * x - width) / height;
        y = 1 - 2 * y / height;
        v3 colour = trace(c, v, x, y);
        float drops = falling(c, v, x, y, v->seconds);
        v3 day = mix(load(c->sky_low), load(c->haze_colour), 0.5f) * 0.9f + grey(0.05f) * c->lamps;
        colour = mix(colour, day, drops);
        if (c->flash >= 0) {
            float since = v->seconds - c->flash;
            if (since > 0)
                colour = colour * (1 + 3 * expf(-since * 9) * (0.6f + 0.4f * cosf(since * 60)));
        }
        sum = sum + on_screen(colour * c->exposure);
    }
    sum = sum * (255.0f / samples);
    out[0] = (unsigned char)(sum.x + 0.5f);
    out[1] = (unsigned char)(sum.y + 0.5f);
    out[2] = (unsigned char)(sum.z + 0.5f);
}

// Height of the ground at x, z: where things and cameras stand.
extern "C" float ground(const clip *c, float x, float z)
{
    return setting_ground(c, vec(x, z));
}

// Distance from a point to what stands in the place, and how far one sees from a to b before it
// stands in the way, 0 to 1: cameras must not stand in a tree nor have one before the subject.
extern "C" float clearance(const clip *c, float x, float y, float z)
{
    return setting_distance(c, vec(x, y, z), c->middle);
}
extern "C" float unhidden(const clip *c, const float *a, const float *b)
{
    v3 from = load(a), d = load(b) - from;
    float all = length(d), t = 0.05f;
    for (int i = 0; i < 300 && t < all; i++) {
        float s = setting_distance(c, from + d * (t / all), c->middle);
        if (s < 0.01f)
            return t / all;
        t += s;
    }
    return 1;
}

#ifdef __CUDACC__
static __global__ void __launch_bounds__(128)
    pixels(const clip *clips, const view *views, int frames, int width, int height, int samples,
           unsigned char *out)
{
    int picture = blockIdx.z, px = blockIdx.x * 16 + threadIdx.x, py = blockIdx.y * 8 + threadIdx.y;
    if (px < width && py < height)
        pixel(&clips[picture / frames], &views[picture], px, py, width, height, samples,
              out + 3 * (((size_t)picture * height + py) * width + px));
}
// clips[count], views[count * frames] and out[count * frames][height][width][3] on the GPU; on its
// own stream. Returns CUDA's status.
extern "C" int render(const clip *clips, const view *views, int count, int frames, int width,
                      int height, int samples, unsigned char *out, void *stream)
{
    dim3 grid((width + 15) / 16, (height + 7) / 8, count * frames);
    pixels<<<grid, dim3(16, 8), 0, (cudaStream_t)stream>>>(clips, views, frames, width, height,
                                                           samples, out);
    return (int)cudaGetLastError();
}
#else
extern "C" int render(const clip *clips, const view *views, int count, int frames, int width,
                      int height, int samples, unsigned char *out, void *)
{
#pragma omp parallel for schedule(dynamic, 4)
    for (long line = 0; line < (long)count * frames * height; line++) {
        long picture = line / height;
        for (int px = 0; px < width; px++)
            pixel(&clips[picture / frames], &views[picture], px, (int)(line % height), width,
                  height, samples, out + 3 * (line * width + px));
    }
    return 0;
}
#endif
