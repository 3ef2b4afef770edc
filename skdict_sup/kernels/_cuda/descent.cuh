// Active-set descent of one signal from a nearly optimal code: exact up to rounding.
//
// The same algorithm as kernels/_numba/_descend.py, for a team.
#pragma once
#include "active_set.cuh"

// Write u = corr - (G + lam2 I) code and the optimality residuals of active atoms to `column`.
//
// u is summed in double. Returns the largest residual.
template <class T, class Team>
DEVICE T active_residual(const Team &team, const Problem<T> &problem, T mu, State<T> &s) {
    weighted_row_sum<double>(team, problem, s, s.values,
                    [&](int j, double sum) { s.u[j] = T(problem.corr[j] - sum); });
    team.sync();
    T worst = T(0);
    for (int r = team.lane; r < s.k; r += team.size) {
        const int j = s.active[r];
        s.u[j] -= problem.lam2 * s.values[r];
        s.column[r] = s.u[j] - mu * s.pulls[r];
        worst = larger(worst, magnitude(s.column[r]));
    }
    team.sync();
    return team.max(worst);
}

// Allow every inactive atom to enter, or only those without penalty.
template <class T, class Team>
DEVICE void allow_inactive(const Team &team, const Problem<T> &problem, bool only_free,
                           State<T> &s) {
    for (int j = team.lane; j < problem.p; j += team.size)
        s.may_enter[j] = only_free && problem.weight(j) > T(0) ? T(0) : T(1);
    team.sync();
    for (int r = team.lane; r < s.k; r += team.size) s.may_enter[s.active[r]] = T(0);
    team.sync();
}

// Add step times move to the values of active atoms.
template <class T, class Team>
DEVICE void move_code(const Team &team, T step, const T *move, State<T> &s) {
    for (int r = team.lane; r < s.k; r += team.size) s.values[r] += step * move[r];
    team.sync();
}

// Take the Newton step `solution` up to the first sign change.
//
// Returns the position of the entry that changes sign, or -1, and writes the length of the step.
template <class T, class Team>
DEVICE int step_to_sign_change(const Team &team, State<T> &s, T &step) {
    Indexed<T> nearest = {T(0), -1};
    for (int r = team.lane; r < s.k; r += team.size) {
        const T sign = s.signs[r];
        if (sign == T(0) || (s.values[r] + s.solution[r]) * sign > T(0)) continue;
        const T ratio = s.values[r] != T(0) ? -s.values[r] / s.solution[r] : T(0);
        const Indexed<T> here = {-ratio, r};
        if (precedes(here, nearest)) nearest = here;
    }
    nearest = team.argmax(nearest);
    step = nearest.index < 0 ? T(1) : -nearest.value;
    move_code(team, step, s.solution, s);
    return nearest.index;
}

// Move the code until an entry is zero, so that a dependent atom can replace its atom.
//
// The dependent atom is the combination `solution` of active atoms, and the code moves along the
// direction that does not change the reconstruction. Returns the position of the zero entry, or -1
// where the objective would not decrease, and writes the magnitude of the new entry.
template <class T, class Team>
DEVICE int exchange_step(const Team &team, T mu, T sign, T weight, T floor, State<T> &s,
                         T &value) {
    Indexed<T> nearest = {T(0), -1};
    T gain = T(0);
    for (int r = team.lane; r < s.k; r += team.size) {
        const T shrinkage = sign * s.solution[r] * s.signs[r];
        gain += mu * sign * s.solution[r] * s.pulls[r];
        if (shrinkage <= T(0)) continue;
        const Indexed<T> here = {-magnitude(s.values[r]) / shrinkage, r};
        if (precedes(here, nearest)) nearest = here;
    }
    nearest = team.argmax(nearest);
    gain = team.sum(gain) - mu * weight;
    value = -nearest.value;
    if (nearest.index < 0 || gain <= floor) return -1;
    move_code(team, -value * sign, s.solution, s);
    return nearest.index;
}

// Largest difference of |u| to its bound of the atoms that may enter, and the atom.
template <class T, class Team>
DEVICE Indexed<T> largest_candidate(const Team &team, const Problem<T> &problem, T mu,
                                    const State<T> &s) {
    Indexed<T> best = {T(0), -1};
    for (int j = team.lane; j < problem.p; j += team.size) {
        if (s.may_enter[j] == T(0)) continue;
        const T abs_u = problem.positive ? s.u[j] : magnitude(s.u[j]);
        const Indexed<T> here = {abs_u - mu * problem.weight(j), j};
        if (precedes(here, best)) best = here;
    }
    return team.argmax(best);
}

// Change the active set until the code is optimal for the bounds mu times the weights.
//
// With `only_free`, only atoms without penalty may enter.
// Each iteration refines the values on the support, removes an atom, adds one, or exchanges two.
// `u` belongs to the code at the end. False if the inverse is too inaccurate to make the active
// atoms stationary.
template <class T, class Team>
DEVICE bool descend(const Team &team, const Problem<T> &problem, T mu, bool only_free,
                    int &n_changes, State<T> &s) {
    T top = T(0);
    for (int j = team.lane; j < problem.p; j += team.size)
        top = larger(top, magnitude(problem.corr[j]));
    top = team.max(top);
    // the rounding of the sum to T, and a few roundings of its terms in double
    const T floor = top * T(double(Limits<T>::eps()) + 4 * Limits<double>::eps());
    allow_inactive(team, problem, only_free, s);
    bool is_refined = false, is_last = false;
    T previous_worst = top;
    while (true) {
        const T worst = active_residual(team, problem, mu, s);
        if (is_last) return true;
        if (worst > floor && (!is_refined || worst + worst < previous_worst)) {
            previous_worst = worst;
            apply_inverse(team, s, s.column, s.solution);
            T step;
            const int leaver = step_to_sign_change(team, s, step);
            is_refined = true;
            if (leaver >= 0) {
                is_last = n_changes >= problem.max_changes;
                if (is_last) continue;
                remove_atom(team, leaver, s);
                if (step > T(0)) allow_inactive(team, problem, only_free, s);
                // an entry removed at zero was added because of rounding: it may not enter again
                n_changes++;
                is_refined = false;
            }
            continue;
        }
        if (worst > T(1024) * floor) return false;
        const Indexed<T> entrant = largest_candidate(team, problem, mu, s);
        if (entrant.value <= floor || n_changes >= problem.max_changes || s.k == s.capacity)
            return true;
        n_changes++;
        is_refined = false;
        const int j = entrant.index;
        const T sign = s.u[j] > T(0) ? T(1) : T(-1);
        team.sync();  // every lane has read may_enter
        if (team.lane == 0) s.may_enter[j] = T(0);
        team.sync();
        if (add_atom(team, problem, j, sign, s)) continue;
        T value;
        const int leaver = exchange_step(team, mu, sign, problem.weight(j), floor, s, value);
        if (leaver < 0) continue;
        remove_atom(team, leaver, s);
        if (value > T(0)) {
            allow_inactive(team, problem, only_free, s);
            if (team.lane == 0) s.may_enter[j] = T(0);
            team.sync();
        }
        if (add_atom(team, problem, j, sign, s)) {
            if (team.lane == 0) s.values[s.k - 1] = sign * value;
            team.sync();
        }
    }
}
