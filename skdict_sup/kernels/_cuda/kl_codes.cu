// Codes for the KL prior, a block of threads for each signal: Newton's method in the dual s = phi'(w).
//
// skdict_sup/_newton.py states the algorithm with its constants, skdict_sup/_entropy.py the prior.
#include "cholesky.cuh"

template <class T>
struct Divergence {
    const T *gram;  // (p, p)
    const T *corr;  // (p,), of this signal
    T sq_norm, lam;
    const T *mean;  // (p,) or one number
    bool one_mean;
    int p;
    bool positive;

    DEVICE T at(int j) const { return mean[one_mean ? 0 : j]; }
    // below this an entry has underflowed, and is optimal for any lower slope
    DEVICE T least() const { return Limits<T>::least() / Limits<T>::eps(); }
    // s = phi'(w)
    DEVICE T gradient(int j, T w) const {
        const T p = at(j);
        if (!positive) return lam * T(asinh(w / (2 * p)));
        return lam * T(log(larger(w, least())) - log(p));
    }
    DEVICE T code(int j, T dual) const {
        const T p = at(j), top = Limits<T>::exponent(), x = smaller(dual / lam, top);
        return positive ? p * T(exp(x)) : 2 * p * T(sinh(larger(x, -top)));
    }
    // 1 / phi''(w)
    DEVICE T mobility(int j, T w) const {
        if (positive) return w > least() ? w / lam : T(0);
        return T(hypot(w, 2 * at(j))) / lam;
    }
    // largest |w| up to which phi'' is at least 1 / mobility
    DEVICE T reach(int j, T mobility) const {
        const T reach = lam * mobility, two = 2 * at(j);
        return positive ? reach : T(sqrt(larger((reach - two) * (reach + two), T(0))));
    }
    // phi(w)
    DEVICE T value(int j, T w, T dual) const {
        const T two = 2 * at(j);
        if (positive) return w * dual - lam * (w - at(j));
        return w * dual - lam * (w / (T(hypot(w, two)) + two) * w);
    }
};

// out = corr - code G
template <class T, class Team>
DEVICE void slope_of(const Team &team, const Divergence<T> &d, const T *code, T *out) {
    for (int j = team.lane; j < d.p; j += team.size) {
        double sum = d.corr[j];
        for (int i = 0; i < d.p; i++) sum -= double(code[i]) * d.gram[size_t(i) * d.p + j];
        out[j] = T(sum);
    }
    team.sync();
}

// Objective of a code, its largest violation, and what rounding is relative to.
template <class T>
struct Measure {
    T objective, violation, size;
};

// Measure of a code and its dual; its slope goes to `slope`.
template <class T, class Team>
DEVICE Measure<T> measure(const Team &team, const Divergence<T> &d, const T *code, const T *dual,
                          T *slope) {
    slope_of(team, d, code, slope);
    T cross = T(0), prior = T(0), worst = T(0), size = T(0);
    for (int j = team.lane; j < d.p; j += team.size) {
        const T w = code[j];
        cross += w * (d.corr[j] + slope[j]);
        size += magnitude(w * slope[j]);
        prior += d.value(j, w, dual[j]);
        const bool gone = d.positive && w <= d.least();
        const T off = gone ? slope[j] - d.gradient(j, w) : magnitude(slope[j] - dual[j]);
        worst = larger(worst, off);
    }
    cross = d.sq_norm - team.sum(cross);
    const T objective = T(0.5) * larger(cross, T(0)) + team.sum(prior);
    size = d.sq_norm + magnitude(objective) + team.sum(size);
    return {objective, team.largest(worst), size};
}

// Newton's direction in the dual, by the system scaled to I + S G S.
template <class T, class Team>
DEVICE void direction_of(const Team &team, const Divergence<T> &d, const T *code, const T *dual,
                         const T *slope, T *H, T *scale, T *b, T *diagonal, T *direction) {
    const int p = d.p;
    for (int j = team.lane; j < p; j += team.size) {
        scale[j] = T(sqrt(d.mobility(j, code[j])));
        b[j] = scale[j] * (slope[j] - dual[j]);
    }
    team.sync();
    for (int i = 0; i < p; i++)
        for (int j = i + team.lane; j < p; j += team.size)
            H[size_t(i) * p + j] = scale[i] * d.gram[size_t(i) * p + j] * scale[j] + T(i == j);
    team.sync();
    factorise(team, H, p, T(0), diagonal);
    substitute(team, H, p, b);
    for (int j = team.lane; j < p; j += team.size) {
        if (d.gram[size_t(j) * p + j] * scale[j] * scale[j] > T(1)) {
            direction[j] = b[j] / scale[j];  // the difference below would be all rounding
            continue;
        }
        T sum = slope[j] - dual[j];
        for (int i = 0; i < p; i++) sum -= b[i] * scale[i] * d.gram[size_t(i) * p + j];
        direction[j] = sum;
    }
    team.sync();
}

// An entry and its dual after a step in the dual: by no more than the tangent where it grows.
//
// Where the prior has more curvature than the loss, growth is free.
template <class T>
DEVICE void move(const Divergence<T> &d, int j, T w, T dual, T direction, T *other, T *other_dual) {
    const T target = dual + direction;
    T stepped = d.code(j, target);
    const bool sign_change = (w < T(0) && stepped > T(0)) || (w > T(0) && stepped < T(0));
    const T base = sign_change ? T(0) : w, from = sign_change ? T(0) : dual;
    const T size = magnitude(stepped);
    T bound = magnitude(base + d.mobility(j, base) * (target - from));
    if (size > magnitude(base) && size > bound) {
        const T own = d.gram[size_t(j) * d.p + j];
        bound = larger(bound, smaller(size, d.reach(j, own > T(0) ? T(1) / own : T(1))));
    }
    const bool far = size > magnitude(base) && size > bound;
    if (far) stepped = stepped > T(0) ? bound : -bound;
    *other = stepped;
    *other_dual = far ? d.gradient(j, stepped) : target;
}

// Numbers that a team needs to code a signal.
DEVICE size_t space_of(int p) { return size_t(p) * (p + 8); }

// Code one signal; `code` holds where to start. The number of steps.
template <class T, class Team>
DEVICE int code_signal(const Team &team, const Divergence<T> &d, T tol, int max_iter, T *numbers,
                       T *code, T *slope) {
    const int p = d.p, halvings = 30, patience = 12;
    T *H = numbers, *rest = H + size_t(p) * p, *dual = rest, *direction = rest + p;
    T *scale = rest + 2 * size_t(p), *b = rest + 3 * size_t(p), *diagonal = rest + 4 * size_t(p);
    T *other = rest + 5 * size_t(p), *other_dual = rest + 6 * size_t(p);
    T *other_slope = rest + 7 * size_t(p);
    T top = T(0);
    for (int j = team.lane; j < p; j += team.size) {
        if (d.positive) code[j] = magnitude(code[j]);
        dual[j] = d.gradient(j, code[j]);
        top = larger(top, magnitude(d.corr[j]));
    }
    team.sync();
    top = team.largest(top);
    const T goal = tol * (top > T(0) ? top : T(1));
    Measure<T> now = measure(team, d, code, dual, slope);
    int steps = 0, n_stalled = 0;
    while (now.violation > goal && n_stalled < patience && steps < max_iter) {
        steps++;
        direction_of(team, d, code, dual, slope, H, scale, b, diagonal, direction);
        const T rounding = 16 * Limits<T>::eps() * now.size;
        Measure<T> then = now;
        T length = T(1);
        for (int halved = 0; halved < halvings; halved++, length *= T(0.5)) {
            for (int j = team.lane; j < p; j += team.size)
                move(d, j, code[j], dual[j], length * direction[j], other + j, other_dual + j);
            team.sync();
            then = measure(team, d, other, other_dual, other_slope);
            T predicted = T(0), along = T(0);
            for (int j = team.lane; j < p; j += team.size) {
                const T change = other[j] - code[j];
                predicted += (slope[j] - dual[j]) * change;
                along += (other_slope[j] - other_dual[j]) * change;
            }
            predicted = team.sum(predicted), along = team.sum(along);
            const T change = then.objective - now.objective;
            if (change <= T(-1e-4) * larger(predicted, T(0))) break;
            // where rounding hides a decrease, the derivatives at both ends decide
            if (magnitude(change) <= rounding && predicted + along >= T(0)) break;
            if (then.violation <= T(0.5) * now.violation) break;
        }
        for (int j = team.lane; j < p; j += team.size)
            code[j] = other[j], dual[j] = other_dual[j], slope[j] = other_slope[j];
        team.sync();
        const bool lower = then.objective < now.objective - rounding;
        n_stalled = lower || then.violation < T(0.9) * now.violation ? 0 : n_stalled + 1;
        now = then;
    }
    return steps;
}

#ifdef __CUDACC__
// Signals one after another by each block; `code` holds where to start. Four blocks share a processor.
template <class T>
__launch_bounds__(128, 4)
__global__ void kl_codes(const T *gram, const T *corr, const T *sq_norm, T lam, const T *mean,
                         int one_mean, int positive, T tol, int max_iter, int n, int p, T *numbers,
                         T *code, T *slope, int *n_iter) {
    const Block team;
    numbers += blockIdx.x * space_of(p);
    for (int i = blockIdx.x; i < n; i += gridDim.x) {
        const size_t start = size_t(i) * p;
        const Divergence<T> d = {gram, corr + start,  sq_norm[i], lam,
                                 mean, one_mean != 0, p,         positive != 0};
        const int steps = code_signal(team, d, tol, max_iter, numbers, code + start, slope + start);
        if (team.lane == 0) n_iter[i] = steps;
    }
}
#endif
