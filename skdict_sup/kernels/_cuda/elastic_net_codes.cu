// Exact elastic-net codes, a warp for each signal: homotopy in lam, then active-set descent.
//
// What a signal costs: for k active atoms of p a change of the support reads k rows of the Gram
// matrix, p numbers each, which the second-level cache holds, and updates k^2 numbers of the
// inverse, which stay in the first. Some 2 k changes make k^2 p + k^3 numbers: for 8 nonzeros of 300
// 80 kB, for 38 some 2 MB.
#include "descent.cuh"

// Where the bound and the first active or inactive atom meet, below `step`; that atom, or -1.
template <class T, class Team>
DEVICE int contact(const Team &team, const Problem<T> &problem, T mu, Space<T> &s, T &step) {
    const T flat = T(1) / T(131072);  // speed toward the bound that counts as none
    Placed<T> nearest = {T(0), -1};
    combine<T>(team, problem, s, s.direction, [&](int j, T change) {
        s.du[j] = change;
        if (s.live[j] == T(0)) return;
        // which of the two bounds comes first
        const bool upper = problem.positive || mu * change < s.u[j];
        const T closing = T(1) - (upper ? change : -change);
        const T gap = mu - (upper ? s.u[j] : -s.u[j]);
        if (closing <= flat || gap >= step * closing) return;
        const Placed<T> here = {-gap / closing, j};
        if (before(here, nearest)) nearest = here;
    });
    team.sync();
    nearest = team.first(nearest);
    if (nearest.place >= 0) step = larger(-nearest.value, T(0));
    return nearest.place;
}

// Where the first entry of the code reaches zero, below `step`; that entry, or -1.
template <class T, class Team>
DEVICE int crossing(const Team &team, const Space<T> &s, T &step) {
    Placed<T> nearest = {T(0), -1};
    for (int r = team.lane; r < s.k; r += team.size) {
        const T change = s.direction[r];
        if (change * s.signs[r] >= T(0) || magnitude(s.values[r]) >= step * magnitude(change))
            continue;
        const Placed<T> here = {-magnitude(s.values[r] / change), r};
        if (before(here, nearest)) nearest = here;
    }
    nearest = team.first(nearest);
    if (nearest.place >= 0) step = -nearest.value;
    return nearest.place;
}

// Follow the code from bound mu to `end`; false where atoms come and go without an end.
template <class T, class Team>
DEVICE bool follow(const Team &team, const Problem<T> &problem, T mu, T end, int &count,
                   Space<T> &s) {
    release(team, problem, s);
    int entrant = s.k ? -1 : strongest(team, problem, s).place, left = 0;
    while (count < problem.limit && s.k < s.capacity) {
        if (entrant >= 0) {
            count++;
            const T sign = s.u[entrant] > T(0) ? T(1) : T(-1);
            team.sync();
            if (team.lane == 0) s.live[entrant] = T(0);
            team.sync();
            enter(team, problem, entrant, sign, s);
        }
        T step = mu - end;
        entrant = contact(team, problem, mu, s, step);
        const int leaver = crossing(team, s, step);
        for (int r = team.lane; r < s.k; r += team.size) s.values[r] += step * s.direction[r];
        for (int j = team.lane; j < problem.p; j += team.size) s.u[j] -= step * s.du[j];
        team.sync();
        mu -= step;
        if (leaver >= 0) {
            entrant = -1;
            if (count == problem.limit) break;
            count++;
            leave(team, leaver, s);
            if (++left > 16 + 2 * s.k) return false;
            if (step > T(0)) release(team, problem, s);  // else it came in by a tie: it stays out
        } else if (entrant < 0) {
            break;
        }
    }
    return true;
}

// Code one signal; false if there was no room for its active atoms.
template <class T, class Team>
DEVICE bool code_signal(const Team &team, const Problem<T> &problem, const T *init, Space<T> &s,
                        T *code, T *slope, int &count) {
    const int p = problem.p;
    bool steady = true;
    count = 0;
    s.k = 0;
    for (int j = team.lane; j < p; j += team.size) s.u[j] = problem.corr[j], s.live[j] = T(1);
    team.sync();
    if (init) {
        for (int j = 0; j < p && s.k < s.capacity; j++) {
            const T value = problem.positive ? larger(init[j], T(0)) : init[j];
            if (value == T(0)) continue;
            if (!enter(team, problem, j, value > T(0) ? T(1) : T(-1), s)) continue;
            if (team.lane == 0) s.values[s.k - 1] = value;
            team.sync();
        }
    }
    if (s.k == 0) {
        T mu = larger(strongest(team, problem, s).value, T(0));
        const T last = mu * Limits<T>::eps();
        while (mu > problem.lam && count < problem.limit && s.k < s.capacity && steady) {
            // rounding of the path carries no further than three digits of the bound
            T end = mu * T(1e-3);
            if (end < problem.lam || end < last) end = problem.lam;
            steady = follow(team, problem, mu, end, count, s);
            mu = end;
            if (mu > problem.lam && steady && s.k < s.capacity)
                steady = descend(team, problem, mu, count, s);
        }
    }
    for (int round = 0; round < 2 && s.k < s.capacity; round++) {
        if (!steady) s.k = 0;  // once more, from nothing
        steady = descend(team, problem, problem.lam, count, s);
        if (steady) break;
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
// Signals whose n_iter is -1, one after another by each warp; it stays so where there is no room.
// Sixteen warps share a processor: a few registers in memory cost less than four idle ones.
template <class T>
__launch_bounds__(32, 16)
__global__ void elastic_net_codes(const T *gram, const T *corr, const T *init, int n, int p, T lam,
                                  T lam2, T tolerance, int positive, int limit,
                                  int capacity, T *numbers, int *places, T *code, T *slope,
                                  int *n_iter) {
    const Warp team;
    const int warps = blockDim.x / 32, mine = blockIdx.x * warps + threadIdx.x / 32;
    Space<T> s = space_at(numbers + mine * space_of(p, capacity), places + mine * size_t(capacity),
                          p, capacity);
    for (int i = mine; i < n; i += gridDim.x * warps) {
        if (n_iter[i] >= 0) continue;
        const size_t start = size_t(i) * p;
        const Problem<T> problem = {gram, corr + start, p,  lam, lam2, tolerance,
                                    positive != 0,      limit};
        int count;
        const bool room = code_signal(team, problem, init ? init + start : nullptr, s, code + start,
                                      slope + start, count);
        if (team.lane == 0) n_iter[i] = room ? count : -1;
    }
}
#endif
