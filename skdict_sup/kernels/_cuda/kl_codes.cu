// Codes for the KL prior, a block of threads for each signal: Newton's method in the rates.
#include "cholesky.cuh"

template <class T>
struct Curve {
    bool positive;

    // phi'(w) / lam
    DEVICE T rate(T w, T p) const {
        if (!positive) return asinh(w / (2 * p));
        return log(larger(w, Limits<T>::least())) - log(p);
    }
    DEVICE T code(T rate, T p) const {
        const T top = smaller(rate, T(80));
        return positive ? p * exp(top) : 2 * p * sinh(larger(top, T(-80)));
    }
    // derivative of the code in the rate
    DEVICE T mobility(T w, T p) const { return positive ? w : sqrt(w * w + 4 * p * p); }
    DEVICE T value(T w, T p) const {
        if (positive) return w * rate(w, p) - w + p;
        return w * asinh(w / (2 * p)) - mobility(w, p) + 2 * p;
    }
};

template <class T>
struct Divergence {
    const T *gram;  // (p, p)
    const T *corr;  // (p,), of this signal
    T energy, lam;
    const T *mean;  // (p,) or one number
    bool one_mean;
    int p;
    Curve<T> curve;

    DEVICE T at(int j) const { return mean[one_mean ? 0 : j]; }
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

// Objective of a code; `spare` holds its slope afterwards.
template <class T, class Team>
DEVICE T objective(const Team &team, const Divergence<T> &d, const T *code, T *spare) {
    slope_of(team, d, code, spare);
    T smooth = T(0), prior = T(0);
    for (int j = team.lane; j < d.p; j += team.size) {
        smooth += code[j] * (d.corr[j] + spare[j]);
        prior += d.curve.value(code[j], d.at(j));
    }
    smooth = team.sum(smooth);
    return T(0.5) * (d.energy - smooth) + d.lam * team.sum(prior);
}

// Newton's direction in the rates, from the excess, by the system scaled to I + S G S.
template <class T, class Team>
DEVICE void turn_of(const Team &team, const Divergence<T> &d, const T *code, const T *excess,
                    T *H, T *scale, T *b, T *diagonal, T *turn) {
    const int p = d.p;
    for (int j = team.lane; j < p; j += team.size) {
        scale[j] = sqrt(d.curve.mobility(code[j], d.at(j)) / d.lam);
        b[j] = scale[j] * excess[j];
    }
    team.sync();
    for (int i = 0; i < p; i++)
        for (int j = i + team.lane; j < p; j += team.size)
            H[size_t(i) * p + j] = scale[i] * d.gram[size_t(i) * p + j] * scale[j] + T(i == j);
    team.sync();
    factorise(team, H, p, T(0), diagonal);
    substitute(team, H, p, b);
    for (int j = team.lane; j < p; j += team.size) b[j] *= scale[j];
    team.sync();
    for (int j = team.lane; j < p; j += team.size) {
        T sum = excess[j];
        for (int i = 0; i < p; i++) sum -= b[i] * d.gram[size_t(i) * p + j];
        turn[j] = sum;
    }
    team.sync();
}

// An entry after a step in its rate: along the curve, but by no more than the tangent where it
// grows; whether it was the tangent.
template <class T>
DEVICE bool moved(const Divergence<T> &d, int j, T w, T rate, T target, T *out) {
    const T p = d.at(j);
    T other = d.curve.code(target / d.lam, p);
    const bool crosses = w * other < T(0);
    const T base = crosses ? T(0) : w, from = crosses ? T(0) : rate;
    const T tangent = magnitude(base + d.curve.mobility(base, p) / d.lam * (target - from));
    const bool far = magnitude(other) > magnitude(base) && magnitude(other) > tangent;
    if (far) other = other > T(0) ? tangent : -tangent;
    *out = other;
    return far;
}

// Code one signal; `code` holds where to start. The number of steps.
template <class T, class Team>
DEVICE int code_signal(const Team &team, const Divergence<T> &d, T tol, int max_iter, T *numbers,
                       T *code, T *slope) {
    const int p = d.p;
    T *H = numbers, *rest = H + size_t(p) * p, *rate = rest, *excess = rest + p;
    T *turn = rest + 2 * size_t(p), *other = rest + 3 * size_t(p), *spare = rest + 4 * size_t(p);
    T *scale = rest + 5 * size_t(p), *b = rest + 6 * size_t(p);
    T top = T(0);
    for (int j = team.lane; j < p; j += team.size) {
        if (d.curve.positive) code[j] = magnitude(code[j]);
        rate[j] = d.lam * d.curve.rate(code[j], d.at(j));
        top = larger(top, magnitude(d.corr[j]));
    }
    team.sync();
    top = team.largest(top);
    const T goal = tol * (top > T(0) ? top : T(1));
    int steps = 0;
    while (true) {
        slope_of(team, d, code, slope);
        T worst = T(0);
        for (int j = team.lane; j < p; j += team.size) {
            excess[j] = slope[j] - rate[j];
            worst = larger(worst, magnitude(excess[j]));
        }
        team.sync();
        if (!(team.largest(worst) > goal) || steps == max_iter) return steps;
        steps++;
        turn_of(team, d, code, excess, H, scale, b, spare, turn);
        const T before = objective(team, d, code, spare);
        T length = T(1);
        for (int halved = 0; halved < 40; halved++) {
            for (int j = team.lane; j < p; j += team.size)
                moved(d, j, code[j], rate[j], rate[j] + length * turn[j], other + j);
            team.sync();
            const T after = objective(team, d, other, spare);
            if (after <= before + 16 * Limits<T>::eps() * (d.energy + magnitude(before))) break;
            if (halved < 39) length *= T(0.5);
        }
        for (int j = team.lane; j < p; j += team.size) {
            const T target = rate[j] + length * turn[j];
            const bool far = moved(d, j, code[j], rate[j], target, other + j);
            code[j] = other[j];
            rate[j] = far ? d.lam * d.curve.rate(other[j], d.at(j)) : target;
        }
        team.sync();
    }
}

#ifdef __CUDACC__
// Signals one after another by each block; `code` holds where to start.
template <class T>
__global__ void kl_codes(const T *gram, const T *corr, const T *energy, T lam, const T *mean,
                         int one_mean, int positive, T tol, int max_iter, int n, int p, T *numbers,
                         T *code, T *slope, int *n_iter) {
    const Block team;
    numbers += blockIdx.x * size_t(p) * (p + 7);
    for (int i = blockIdx.x; i < n; i += gridDim.x) {
        const size_t start = size_t(i) * p;
        const Divergence<T> d = {gram, corr + start,  energy[i], lam,
                                 mean, one_mean != 0, p,         {positive != 0}};
        const int steps = code_signal(team, d, tol, max_iter, numbers, code + start, slope + start);
        if (team.lane == 0) n_iter[i] = steps;
    }
}
#endif
