// Exact elastic-net codes, a warp for each signal: homotopy in lam, then active-set descent.
//
// Memory traffic of a signal: with k active atoms of p, a change of the support reads k rows of p
// numbers of the Gram matrix, from the second-level cache, and updates k^2 numbers of the inverse,
// in the first-level cache. Some 2 k changes take k^2 p + k^3 numbers: 80 kB for 8 nonzeros of 300,
// some 2 MB for 38.
#include "descent.cuh"

// First atom whose |u| meets its bound as mu decreases by less than `step`, or -1.
//
// Replaces `step` by the decrease at which it does.
template <class T, class Team>
DEVICE int first_contact(const Team &team, const Problem<T> &problem, T mu, State<T> &s, T &step) {
    const T min_speed = T(1) / T(131072);  // atoms slower than this never meet the bound
    Indexed<T> nearest = {T(0), -1};
    weighted_row_sum<T>(team, problem, s, s.direction, [&](int j, T change) {
        s.du[j] = change;
        if (s.may_enter[j] == T(0)) return;
        // whether the upper bound comes first
        const T weight = problem.weight(j);
        const bool upper = problem.positive || mu * change < s.u[j];
        const T closing = weight - (upper ? change : -change);
        const T gap = mu * weight - (upper ? s.u[j] : -s.u[j]);
        if (weight == T(0) || closing <= min_speed * weight || gap >= step * closing) return;
        const Indexed<T> here = {-gap / closing, j};
        if (precedes(here, nearest)) nearest = here;
    });
    team.sync();
    nearest = team.argmax(nearest);
    if (nearest.index >= 0) step = larger(-nearest.value, T(0));
    return nearest.index;
}

// First entry of the code to reach zero as mu decreases by less than `step`, or -1.
//
// Replaces `step` by the decrease at which it does.
template <class T, class Team>
DEVICE int first_zero_crossing(const Team &team, const State<T> &s, T &step) {
    Indexed<T> nearest = {T(0), -1};
    for (int r = team.lane; r < s.k; r += team.size) {
        const T change = s.direction[r];
        if (change * s.signs[r] >= T(0) || magnitude(s.values[r]) >= step * magnitude(change))
            continue;
        const Indexed<T> here = {-magnitude(s.values[r] / change), r};
        if (precedes(here, nearest)) nearest = here;
    }
    nearest = team.argmax(nearest);
    if (nearest.index >= 0) step = -nearest.value;
    return nearest.index;
}

// Largest |u| over its weight, and the atom.
template <class T, class Team>
DEVICE Indexed<T> largest_ratio(const Team &team, const Problem<T> &problem, const State<T> &s) {
    Indexed<T> best = {T(0), -1};
    for (int j = team.lane; j < problem.p; j += team.size) {
        const T weight = problem.weight(j);
        const T abs_u = problem.positive ? s.u[j] : magnitude(s.u[j]);
        const Indexed<T> here = {weight == T(0) ? T(0) : abs_u / weight, j};
        if (precedes(here, best)) best = here;
    }
    return team.argmax(best);
}

// Follow the path of the code from mu to end; false if the path cycles.
template <class T, class Team>
DEVICE bool follow_path(const Team &team, const Problem<T> &problem, T mu, T end, int &n_changes,
                        State<T> &s) {
    allow_inactive(team, problem, false, s);
    int entrant = s.k ? -1 : largest_ratio(team, problem, s).index, n_dropped = 0;
    while (n_changes < problem.max_changes && s.k < s.capacity) {
        if (entrant >= 0) {
            n_changes++;
            const T sign = s.u[entrant] > T(0) ? T(1) : T(-1);
            team.sync();
            if (team.lane == 0) s.may_enter[entrant] = T(0);
            team.sync();
            add_atom(team, problem, entrant, sign, s);
        }
        T step = mu - end;
        entrant = first_contact(team, problem, mu, s, step);
        const int leaver = first_zero_crossing(team, s, step);
        for (int r = team.lane; r < s.k; r += team.size) s.values[r] += step * s.direction[r];
        for (int j = team.lane; j < problem.p; j += team.size) s.u[j] -= step * s.du[j];
        team.sync();
        mu -= step;
        if (leaver >= 0) {
            entrant = -1;
            if (n_changes == problem.max_changes) break;
            n_changes++;
            remove_atom(team, leaver, s);
            if (++n_dropped > 16 + 2 * s.k) return false;
            // an atom that leaves at zero entered by a tie: it may not enter again
            if (step > T(0)) allow_inactive(team, problem, false, s);
        } else if (entrant < 0) {
            break;
        }
    }
    return true;
}

// Code one signal; false if it has more active atoms than the capacity.
template <class T, class Team>
DEVICE bool code_signal(const Team &team, const Problem<T> &problem, const T *init, State<T> &s,
                        T *code, T *slope, int &n_changes) {
    const int p = problem.p;
    bool is_trusted = true;
    n_changes = 0;
    s.k = 0;
    for (int j = team.lane; j < p; j += team.size) s.u[j] = problem.corr[j], s.may_enter[j] = T(1);
    team.sync();
    if (init) {
        for (int j = 0; j < p && s.k < s.capacity; j++) {
            const T value = problem.positive ? larger(init[j], T(0)) : init[j];
            if (value == T(0)) continue;
            if (!add_atom(team, problem, j, value > T(0) ? T(1) : T(-1), s)) continue;
            if (team.lane == 0) s.values[s.k - 1] = value;
            team.sync();
        }
    }
    if (s.k == 0) {
        if (problem.has_free) is_trusted = descend(team, problem, T(0), true, n_changes, s);
        T mu = larger(largest_ratio(team, problem, s).value, T(0));
        const T min_mu = mu * Limits<T>::eps();  // from below this, a single stage goes to lam
        while (mu > problem.lam && n_changes < problem.max_changes && s.k < s.capacity &&
               is_trusted) {
            // rounding makes longer stages inaccurate
            T end = mu * T(1e-3);
            if (end < problem.lam || end < min_mu) end = problem.lam;
            is_trusted = follow_path(team, problem, mu, end, n_changes, s);
            mu = end;
            if (mu > problem.lam && is_trusted && s.k < s.capacity)
                is_trusted = descend(team, problem, mu, false, n_changes, s);
        }
    }
    for (int round = 0; round < 2 && s.k < s.capacity; round++) {
        if (!is_trusted) s.k = 0;  // retry from zero
        is_trusted = descend(team, problem, problem.lam, false, n_changes, s);
        if (is_trusted) break;
    }
    if (s.k == s.capacity && s.capacity <= p) return false;
    for (int j = team.lane; j < p; j += team.size) code[j] = T(0), slope[j] = s.u[j];
    team.sync();
    for (int r = team.lane; r < s.k; r += team.size) {
        const int j = s.active[r];
        code[j] = s.values[r];
        slope[j] += problem.lam2 * s.values[r];
    }
    team.sync();
    return true;
}

#ifdef __CUDACC__
// Code the signals whose n_iter is -1, which it remains where the capacity is too small.
//
// Each warp takes one signal after another. Sixteen warps share a multiprocessor: spilling a few
// registers costs less than four idle warps.
template <class T>
__launch_bounds__(32, 16)
__global__ void elastic_net_codes(const T *gram, const T *corr, const T *init, int n, int p, T lam,
                                  T lam2, T tolerance, int positive, int max_changes,
                                  int capacity, const T *weights, int has_free, T *workspace,
                                  int *indices, T *code, T *slope, int *n_iter) {
    const Warp team;
    const int warps = blockDim.x / 32, mine = blockIdx.x * warps + threadIdx.x / 32;
    State<T> s = state_at(workspace + mine * state_size(p, capacity),
                          indices + mine * size_t(capacity), p, capacity);
    for (int i = mine; i < n; i += gridDim.x * warps) {
        if (n_iter[i] >= 0) continue;
        const size_t start = size_t(i) * p;
        const Problem<T> problem = {gram,          corr + start, p,       lam,          lam2, tolerance,
                                    positive != 0, max_changes,  weights, has_free != 0};
        int n_changes;
        const bool fits = code_signal(team, problem, init ? init + start : nullptr, s, code + start,
                                      slope + start, n_changes);
        if (team.lane == 0) n_iter[i] = fits ? n_changes : -1;
    }
}
#endif
