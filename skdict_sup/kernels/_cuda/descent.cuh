// Active-set descent of one signal from a code near its end: exact to rounding.
#pragma once
#include "active_set.cuh"

// u = corr - (G + lam2 I) code, summed in double; the largest excess of an active atom over lam.
template <class T, class Team>
DEVICE T residual(const Team &team, const Problem<T> &problem, T lam, Space<T> &s) {
    combine<double>(team, problem, s, s.values,
                    [&](int j, double sum) { s.u[j] = T(problem.corr[j] - sum); });
    team.sync();
    T worst = T(0);
    for (int r = team.lane; r < s.k; r += team.size) {
        const int j = s.active[r];
        s.u[j] -= problem.lam2 * s.values[r];
        s.column[r] = s.u[j] - lam * s.signs[r];
        worst = larger(worst, magnitude(s.column[r]));
    }
    team.sync();
    return team.largest(worst);
}

// Let every atom at rest enter again.
template <class T, class Team>
DEVICE void release(const Team &team, const Problem<T> &problem, Space<T> &s) {
    for (int j = team.lane; j < problem.p; j += team.size) s.live[j] = T(1);
    team.sync();
    for (int r = team.lane; r < s.k; r += team.size) s.live[s.active[r]] = T(0);
    team.sync();
}

// Code += step move; the values of active atoms.
template <class T, class Team>
DEVICE void advance(const Team &team, T step, const T *move, Space<T> &s) {
    for (int r = team.lane; r < s.k; r += team.size) s.values[r] += step * move[r];
    team.sync();
}

// Newton step `solution`, up to the first change of sign; who is there, or -1, and the step.
template <class T, class Team>
DEVICE int shorten(const Team &team, Space<T> &s, T &step) {
    Placed<T> nearest = {T(0), -1};
    for (int r = team.lane; r < s.k; r += team.size) {
        if ((s.values[r] + s.solution[r]) * s.signs[r] > T(0)) continue;
        const T until = s.values[r] != T(0) ? -s.values[r] / s.solution[r] : T(0);
        const Placed<T> here = {-until, r};
        if (before(here, nearest)) nearest = here;
    }
    nearest = team.first(nearest);
    step = nearest.place < 0 ? T(1) : -nearest.value;
    advance(team, step, s.solution, s);
    return nearest.place;
}

// Who leaves for an atom that is the combination `solution` of active ones, or -1; its value.
//
// The move along which the fit stays as it is ends where the first entry reaches zero.
template <class T, class Team>
DEVICE int exchange(const Team &team, T lam, T sign, T floor, Space<T> &s, T &start) {
    Placed<T> nearest = {T(0), -1};
    T gain = T(0);
    for (int r = team.lane; r < s.k; r += team.size) {
        const T shrink = sign * s.solution[r] * s.signs[r];
        gain += lam * shrink;
        if (shrink <= T(0)) continue;
        const Placed<T> here = {-magnitude(s.values[r]) / shrink, r};
        if (before(here, nearest)) nearest = here;
    }
    nearest = team.first(nearest);
    gain = team.sum(gain) - lam;
    start = -nearest.value;
    if (nearest.place < 0 || gain <= floor) return -1;
    advance(team, -start * sign, s.solution, s);
    return nearest.place;
}

// The largest pull of the atoms that may enter, and whose it is.
template <class T, class Team>
DEVICE Placed<T> strongest(const Team &team, const Problem<T> &problem, const Space<T> &s) {
    Placed<T> found = {T(0), -1};
    for (int j = team.lane; j < problem.p; j += team.size) {
        const T pull = problem.positive ? s.u[j] : magnitude(s.u[j]);
        const Placed<T> here = {pull * s.live[j], j};
        if (before(here, found)) found = here;
    }
    return team.first(found);
}

// Refine, let go, admit, exchange until the signal is optimal for lam; u is left up to date.
//
// False if the inverse is too far from one to make the active atoms stationary.
template <class T, class Team>
DEVICE bool descend(const Team &team, const Problem<T> &problem, T lam, int &count, Space<T> &s) {
    T top = T(0);
    for (int j = team.lane; j < problem.p; j += team.size)
        top = larger(top, magnitude(problem.corr[j]));
    top = team.largest(top);
    // one rounding of the sum to T, and a few within it
    const T floor = top * T(double(Limits<T>::eps()) + 4 * Limits<double>::eps());
    release(team, problem, s);
    bool refined = false, stopped = false;
    T last = top;
    while (true) {
        const T worst = residual(team, problem, lam, s);
        if (stopped) return true;
        if (worst > floor && (!refined || worst + worst < last)) {
            last = worst;
            solve(team, s, s.column, s.solution);
            T step;
            const int leaver = shorten(team, s, step);
            refined = true;
            if (leaver >= 0) {
                stopped = count >= problem.limit;
                if (stopped) continue;
                leave(team, leaver, s);
                if (step > T(0)) release(team, problem, s);
                // else it came in by rounding, without having moved: it stays out
                count++;
                refined = false;
            }
            continue;
        }
        if (worst > T(1024) * floor) return false;
        const Placed<T> entrant = strongest(team, problem, s);
        if (entrant.value - lam <= floor || count >= problem.limit || s.k == s.capacity)
            return true;
        count++;
        refined = false;
        const int j = entrant.place;
        const T sign = s.u[j] > T(0) ? T(1) : T(-1);
        team.sync();  // every lane has seen who is live
        if (team.lane == 0) s.live[j] = T(0);
        team.sync();
        if (enter(team, problem, j, sign, s)) continue;
        T start;
        const int leaver = exchange(team, lam, sign, floor, s, start);
        if (leaver < 0) continue;
        leave(team, leaver, s);
        if (start > T(0)) {
            release(team, problem, s);
            if (team.lane == 0) s.live[j] = T(0);
            team.sync();
        }
        if (enter(team, problem, j, sign, s)) {
            if (team.lane == 0) s.values[s.k - 1] = sign * start;
            team.sync();
        }
    }
}
