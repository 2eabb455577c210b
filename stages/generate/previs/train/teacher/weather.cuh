// What falls between the camera and the place: sheets of streaks or flakes, nearer ones larger,
// faster and fewer; 0 to 1. They keep their places in the world while a camera turns.
FN float falling(const clip *c, const view *v, float x, float y, float seconds)
{
    float sum = 0, snow = c->snowing;
    if (c->rain + snow <= 0.01f)
        return 0;
    float yaw = atan2f(v->forward[0], v->forward[2]), pitch = asinf(clamp(v->forward[1], -1, 1));
    float drift = c->wind * (v->right[0] > 0 ? 1.0f : -1.0f);
    if (snow > 0) {
        for (int i = 0; i < 6; i++) {
            float scale = 3.2f * powf(1.55f, (float)i),
                  near = 1 / scale; // the nearest flakes first
            float u = (x / v->zoom + yaw + v->at[0] * 0.12f * near) * scale + i * 17.3f -
                      seconds * drift * (0.34f + 0.05f * i);
            float w = (y / v->zoom + pitch) * scale + seconds * (1.5f + 0.12f * i) + i * 5.1f;
            u += 0.35f * sinf(w * 1.1f + i * 2.0f) + 0.12f * sinf(w * 2.9f);
            int cx = (int)floorf(u), cy = (int)floorf(w);
            if (chance(cx, cy, i, c->seed + 900u) >
                (i == 0 ? 0.12f : 0.22f + 0.07f * i) * (0.5f + 0.5f * snow))
                continue;
            float size =
                (0.05f + 0.055f * chance(cx, cy, i, 903u)) * (i == 0 ? 1.3f : 1.0f + 0.08f * i);
            float fx = u - cx - 0.2f - 0.6f * chance(cx, cy, i, 901u),
                  fy = w - cy - 0.2f - 0.6f * chance(cx, cy, i, 902u);
            float soft = i < 2 ? 0.15f : 0.5f; // the nearest are out of focus
            sum += step(size * 1.25f, size * soft, sqrtf(fx * fx + fy * fy)) *
                   (i < 2 ? 0.55f : 0.85f - 0.05f * i);
        }
        return unitly(sum);
    }
    for (int i = 0; i < 5; i++) {
        float scale = 5.0f * powf(1.5f, (float)i), lean = drift * 0.035f;
        float u = (x / v->zoom + yaw) * scale + i * 17.0f, w = (y / v->zoom + pitch) * scale;
        u += w * lean;
        w = (w + seconds * (17 + 2.0f * i)) * 0.16f + 7.3f * chance((int)floorf(u), i, 904u);
        int cx = (int)floorf(u), cy = (int)floorf(w);
        if (chance(cx, cy, i, c->seed + 900u) > (0.35f + 0.1f * i) * c->rain)
            continue;
        float fx = u - cx - 0.15f - 0.7f * chance(cx, cy, i, 901u), fy = w - cy - 0.5f;
        float thin = 0.016f + 0.012f * i;
        sum += step(thin, 0.0f, fabsf(fx)) * step(0.48f, 0.15f, fabsf(fy)) * (0.28f - 0.025f * i);
    }
    // curtains of rain farther off
    float veil = noise(vec((x / v->zoom + yaw) * 3 - seconds * drift * 0.06f,
                           (y / v->zoom + pitch) * 0.7f + seconds * 0.5f),
                       c->seed + 905u);
    return unitly(sum + 0.10f * c->rain * veil);
}
