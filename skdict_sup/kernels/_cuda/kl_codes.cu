// Codes for the KL prior, a block of threads for each signal: Newton's method in s = phi'(w).
//
// skdict_sup/_newton.py states the algorithm with its constants, skdict_sup/_entropy.py the prior.
#include "cholesky.cuh"

template <class T>
struct KLProblem {
    const T *gram;  // (p, p)
    const T *corr;  // (p,), of this signal
    T sq_norm, lam;
    const T *mean;  // (p,) or one number
    bool one_mean;
    int p;
    bool positive;

    DEVICE T mean_of(int j) const { return mean[one_mean ? 0 : j]; }
    // below this an entry counts as zero, and is optimal for any smaller slope
    DEVICE T min_code() const { return Limits<T>::smallest_normal() / Limits<T>::eps(); }
    // s = phi'(w)
    DEVICE T gradient(int j, T w) const {
        const T p = mean_of(j);
        if (!positive) return lam * T(asinh(w / (2 * p)));
        return lam * T(log(larger(w, min_code())) - log(p));
    }
    // the w with phi'(w) = dual
    DEVICE T code_at(int j, T dual) const {
        const T p = mean_of(j), top = Limits<T>::max_exponent(), x = smaller(dual / lam, top);
        return positive ? p * T(exp(x)) : 2 * p * T(sinh(larger(x, -top)));
    }
    // 1 / phi''(w)
    DEVICE T mobility(int j, T w) const {
        if (positive) return w > min_code() ? w / lam : T(0);
        return T(hypot(w, 2 * mean_of(j))) / lam;
    }
    // largest |w| up to which phi'' is at least 1 / mobility
    DEVICE T reach(int j, T mobility) const {
        const T reach = lam * mobility, two_p = 2 * mean_of(j);
        return positive ? reach : T(sqrt(larger((reach - two_p) * (reach + two_p), T(0))));
    }
    // phi(w)
    DEVICE T value(int j, T w, T dual) const {
        const T two_p = 2 * mean_of(j);
        if (positive) return w * dual - lam * (w - mean_of(j));
        return w * dual - lam * (w / (T(hypot(w, two_p)) + two_p) * w);
    }
};

// Write the slope corr - code G to out.
template <class T, class Team>
DEVICE void slope_of(const Team &team, const KLProblem<T> &d, const T *code, T *out) {
    for (int j = team.lane; j < d.p; j += team.size) {
        double sum = d.corr[j];
        for (int i = 0; i < d.p; i++) sum -= double(code[i]) * d.gram[size_t(i) * d.p + j];
        out[j] = T(sum);
    }
    team.sync();
}

// Objective and KKT residual of a code, and the scale of rounding errors in the objective.
template <class T>
struct Evaluation {
    T objective, residual, rounding_scale;
};

// Evaluate a code and its dual, and write its slope.
template <class T, class Team>
DEVICE Evaluation<T> evaluate(const Team &team, const KLProblem<T> &d, const T *code,
                              const T *dual, T *slope) {
    slope_of(team, d, code, slope);
    T cross = T(0), prior = T(0), residual = T(0), scale = T(0);
    for (int j = team.lane; j < d.p; j += team.size) {
        const T w = code[j];
        cross += w * (d.corr[j] + slope[j]);
        scale += magnitude(w * slope[j]);
        prior += d.value(j, w, dual[j]);
        const bool is_zero = d.positive && w <= d.min_code();
        const T deviation = is_zero ? slope[j] - d.gradient(j, w) : magnitude(slope[j] - dual[j]);
        residual = larger(residual, deviation);
    }
    cross = d.sq_norm - team.sum(cross);
    const T objective = T(0.5) * larger(cross, T(0)) + team.sum(prior);
    scale = d.sq_norm + magnitude(objective) + team.sum(scale);
    return {objective, team.max(residual), scale};
}

// Write Newton's direction in the dual, by the system scaled to I + S G S.
template <class T, class Team>
DEVICE void newton_direction(const Team &team, const KLProblem<T> &d, const T *code,
                             const T *dual, const T *slope, T *H, T *scale, T *b, T *diagonal,
                             T *direction) {
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
    factor(team, H, p, T(0), diagonal);
    solve_factored(team, H, p, b);
    for (int j = team.lane; j < p; j += team.size) {
        if (d.gram[size_t(j) * p + j] * scale[j] * scale[j] > T(1)) {
            direction[j] = b[j] / scale[j];  // the difference below would be rounding only
            continue;
        }
        T sum = slope[j] - dual[j];
        for (int i = 0; i < p; i++) sum -= b[i] * scale[i] * d.gram[size_t(i) * p + j];
        direction[j] = sum;
    }
    team.sync();
}

// Write an entry and its dual after a step in the dual, limited by the tangent where it grows.
//
// The limit does not apply where the prior has more curvature than the loss.
template <class T>
DEVICE void step_along(const KLProblem<T> &d, int j, T w, T dual, T direction, T *trial,
                       T *trial_dual) {
    const T target = dual + direction;
    T stepped = d.code_at(j, target);
    const bool sign_change = (w < T(0) && stepped > T(0)) || (w > T(0) && stepped < T(0));
    const T base = sign_change ? T(0) : w, base_dual = sign_change ? T(0) : dual;
    const T abs_w = magnitude(stepped);
    T bound = magnitude(base + d.mobility(j, base) * (target - base_dual));
    if (abs_w > magnitude(base) && abs_w > bound) {
        const T gram_jj = d.gram[size_t(j) * d.p + j];
        bound = larger(bound, smaller(abs_w, d.reach(j, gram_jj > T(0) ? T(1) / gram_jj : T(1))));
    }
    const bool is_limited = abs_w > magnitude(base) && abs_w > bound;
    if (is_limited) stepped = stepped > T(0) ? bound : -bound;
    *trial = stepped;
    *trial_dual = is_limited ? d.gradient(j, stepped) : target;
}

// Length of the work space of a team.
DEVICE size_t state_size(int p) { return size_t(p) * (p + 8); }

// Replace the initial code of a signal by its optimal one; returns the number of steps.
template <class T, class Team>
DEVICE int code_signal(const Team &team, const KLProblem<T> &d, T tol, int max_iter, T *workspace,
                       T *code, T *slope) {
    const int p = d.p, max_trials = 30, patience = 12;
    T *H = workspace, *next = H + size_t(p) * p, *dual = next, *direction = next + p;
    T *scale = next + 2 * size_t(p), *b = next + 3 * size_t(p), *diagonal = next + 4 * size_t(p);
    T *trial = next + 5 * size_t(p), *trial_dual = next + 6 * size_t(p);
    T *trial_slope = next + 7 * size_t(p);
    T top = T(0);
    for (int j = team.lane; j < p; j += team.size) {
        if (d.positive) code[j] = magnitude(code[j]);
        dual[j] = d.gradient(j, code[j]);
        top = larger(top, magnitude(d.corr[j]));
    }
    team.sync();
    top = team.max(top);
    const T sufficient = tol * (top > T(0) ? top : T(1));
    Evaluation<T> current = evaluate(team, d, code, dual, slope);
    int steps = 0, n_stalled = 0;
    while (current.residual > sufficient && n_stalled < patience && steps < max_iter) {
        steps++;
        newton_direction(team, d, code, dual, slope, H, scale, b, diagonal, direction);
        const T rounding = 16 * Limits<T>::eps() * current.rounding_scale;
        Evaluation<T> after = current;
        T length = T(1);
        for (int trials = 0; trials < max_trials; trials++, length *= T(0.5)) {
            for (int j = team.lane; j < p; j += team.size)
                step_along(d, j, code[j], dual[j], length * direction[j], trial + j,
                           trial_dual + j);
            team.sync();
            after = evaluate(team, d, trial, trial_dual, trial_slope);
            T predicted = T(0), along = T(0);
            for (int j = team.lane; j < p; j += team.size) {
                const T change = trial[j] - code[j];
                predicted += (slope[j] - dual[j]) * change;
                along += (trial_slope[j] - trial_dual[j]) * change;
            }
            predicted = team.sum(predicted), along = team.sum(along);
            const T change = after.objective - current.objective;
            if (change <= T(-1e-4) * larger(predicted, T(0))) break;
            // where rounding hides a decrease, the derivatives at both ends decide
            if (magnitude(change) <= rounding && predicted + along >= T(0)) break;
            if (after.residual <= T(0.5) * current.residual) break;
        }
        for (int j = team.lane; j < p; j += team.size)
            code[j] = trial[j], dual[j] = trial_dual[j], slope[j] = trial_slope[j];
        team.sync();
        const bool decreases = after.objective < current.objective - rounding;
        n_stalled = decreases || after.residual < T(0.9) * current.residual ? 0 : n_stalled + 1;
        current = after;
    }
    return steps;
}

#ifdef __CUDACC__
// Replace the initial codes by optimal ones; each block takes one signal after another.
//
// Four blocks share a multiprocessor.
template <class T>
__launch_bounds__(128, 4)
__global__ void kl_codes(const T *gram, const T *corr, const T *sq_norm, T lam, const T *mean,
                         int one_mean, int positive, T tol, int max_iter, int n, int p,
                         T *workspace, T *code, T *slope, int *n_iter) {
    const Block team;
    workspace += blockIdx.x * state_size(p);
    for (int i = blockIdx.x; i < n; i += gridDim.x) {
        const size_t start = size_t(i) * p;
        const KLProblem<T> d = {gram, corr + start,  sq_norm[i], lam,
                                 mean, one_mean != 0, p,         positive != 0};
        const int steps =
            code_signal(team, d, tol, max_iter, workspace, code + start, slope + start);
        if (team.lane == 0) n_iter[i] = steps;
    }
}
#endif
