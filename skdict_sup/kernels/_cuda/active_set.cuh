// The active atoms of one signal, with the inverse of their system H = G_SS + lam2 I.
//
// The same algorithm as kernels/_numba/_active.py, for a team.
#pragma once
#include "team.cuh"

template <class T>
struct Problem {
    const T *gram;  // (p, p)
    const T *corr;  // (p,), of this signal
    int p;
    T lam, lam2, tolerance;  // tolerance: largest relative pivot of a dependent atom
    bool positive;
    int max_changes;  // largest number of changes of the support
    // (p,), or null for ones: atom j has the bound lam * weights[j]
    const T *weights;
    bool has_free;  // whether some atoms have weight zero

    DEVICE T weight(int j) const { return weights ? weights[j] : T(1); }
};

template <class T>
struct State {
    int capacity;
    int k;  // number of active atoms
    T min_pivot;  // smallest relative pivot since the active set was empty
    int *active;  // (capacity,)
    T *inverse;  // (capacity, capacity)
    // (capacity,): entries of the code, their signs (0 for entries without penalty, whose sign may
    // change), weights times signs, and H^-1 pulls
    T *values, *signs, *pulls, *direction;
    // (capacity,): new column of H, H^-1 column, and its change by refinement
    T *column, *solution, *correction;
    // (p,): corr - (G + lam2 I) code, its derivative in lam, and 1 for atoms that may enter
    T *u, *du, *may_enter;
};

// Length of the work space of a team.
DEVICE size_t state_size(int p, int capacity) {
    return size_t(capacity) * (capacity + 7) + 3 * size_t(p);
}

// State with its arrays in the work space of a team.
template <class T>
DEVICE State<T> state_at(T *workspace, int *indices, int p, int capacity) {
    State<T> s;
    s.capacity = capacity;
    s.k = 0;
    s.min_pivot = T(1);
    s.active = indices;
    s.inverse = workspace;
    T *next = workspace + size_t(capacity) * capacity;
    T **vectors[] = {&s.values, &s.signs,    &s.pulls,     &s.direction,
                     &s.column, &s.solution, &s.correction};
    for (T **vector : vectors) {
        *vector = next;
        next += capacity;
    }
    s.u = next;
    s.du = next + p;
    s.may_enter = next + 2 * size_t(p);
    return s;
}

// Write the product H^-1 b to out.
template <class T, class Team>
DEVICE void apply_inverse(const Team &team, const State<T> &s, const T *b, T *out) {
    for (int c = team.lane; c < s.k; c += team.size) {
        T sum = T(0);
        for (int r = 0; r < s.k; r++) sum += b[r] * s.inverse[size_t(r) * s.capacity + c];
        out[c] = sum;
    }
    team.sync();
}

// Add scale v v' to the first n rows and columns of the inverse.
template <class T, class Team>
DEVICE void rank_one_update(const Team &team, const State<T> &s, int n, T scale, const T *v) {
    for (int c = team.lane; c < n; c += team.size) {
        const T right = scale * v[c];
        for (int r = 0; r < n; r++) s.inverse[size_t(r) * s.capacity + c] += v[r] * right;
    }
    team.sync();
}

// Call visit(j, sum_r weights[r] G[active[r], j]) for every atom j.
//
// A lane takes four atoms at a time: weights and indices are read once for them, and four loads are
// in flight at once.
template <class Sum, class T, class Team, class Visit>
DEVICE void weighted_row_sum(const Team &team, const Problem<T> &problem, const State<T> &s,
                    const T *weights, Visit visit) {
    constexpr int width = 4;
    const int p = problem.p;
    for (int first = team.lane; first < p; first += width * team.size) {
        Sum sums[width] = {};
        for (int r = 0; r < s.k; r++) {
            const Sum weight = weights[r];
            const T *row = problem.gram + size_t(s.active[r]) * p;
            for (int q = 0; q < width; q++) {
                const int j = first + q * team.size;
                if (j < p) sums[q] += weight * row[j];
            }
        }
        for (int q = 0; q < width; q++) {
            const int j = first + q * team.size;
            if (j < p) visit(j, sums[q]);
        }
    }
}

// Pivot of atom j after iterative refinement of solution = H^-1 column, or zero.
//
// Zero if it is not certain to be positive.
template <class T, class Team>
DEVICE T refined_pivot(const Team &team, const Problem<T> &problem, int j, State<T> &s) {
    const T *row = problem.gram + size_t(j) * problem.p;
    const double lam2 = problem.lam2, diagonal = double(row[j]) + lam2;
    double pivot = 0, error_bound = 0;
    for (int round = 0; round < 4; round++) {
        double reduction = 0, error = 0, norm = 0;
        for (int r = team.lane; r < s.k; r += team.size) {
            const int i = s.active[r];
            const double value = s.solution[r];
            double residual = double(row[i]) - lam2 * value;
            for (int c = 0; c < s.k; c++) {
                const T entry = problem.gram[size_t(s.active[c]) * problem.p + i];
                residual -= double(s.solution[c]) * entry;
            }
            s.column[r] = T(residual);
            reduction += value * (row[i] + residual);
            error += magnitude(value * residual);
            norm += magnitude(value) * sqrt(double(problem.gram[size_t(i) * problem.p + i]) + lam2);
        }
        team.sync();
        norm = sqrt(diagonal) + team.sum(norm);
        pivot = diagonal - team.sum(reduction);
        error_bound = team.sum(error) + 4 * Limits<double>::eps() * norm * norm;
        if (error_bound < 0.01 * pivot) break;
        apply_inverse(team, s, s.column, s.correction);
        for (int r = team.lane; r < s.k; r += team.size) s.solution[r] += s.correction[r];
        team.sync();
    }
    return error_bound < 0.5 * pivot ? T(pivot) : T(0);
}

// Make atom j active with value zero; false if it is linearly dependent on active atoms.
//
// Leaves the combination of active atoms that is closest to atom j in `solution`.
template <class T, class Team>
DEVICE bool add_atom(const Team &team, const Problem<T> &problem, int j, T sign, State<T> &s) {
    const int k = s.k;
    const T *row = problem.gram + size_t(j) * problem.p;
    for (int r = team.lane; r < k; r += team.size) s.column[r] = row[s.active[r]];
    team.sync();
    apply_inverse(team, s, s.column, s.solution);
    T reduction = T(0);
    for (int r = team.lane; r < k; r += team.size) reduction += s.column[r] * s.solution[r];
    const T diagonal = row[j] + problem.lam2, eps = Limits<T>::eps();
    T pivot = diagonal - team.sum(reduction);
    const T min_pivot = k ? s.min_pivot : T(1);
    // digits cancelled in this pivot, or in an earlier one and so in the inverse
    if (pivot < larger(T(32) * T(sqrt(double(eps))), T(1024) * eps / min_pivot) * diagonal)
        pivot = refined_pivot(team, problem, j, s);
    if (!(pivot > problem.tolerance * diagonal)) return false;
    s.min_pivot = smaller(min_pivot, pivot / diagonal);
    if (team.lane == 0) {
        s.solution[k] = T(-1);
        s.active[k] = j;
        s.values[k] = s.direction[k] = T(0);
        const T weight = problem.weight(j);
        s.signs[k] = weight > T(0) || problem.positive ? sign : T(0);
        s.pulls[k] = weight * sign;
    }
    for (int r = team.lane; r <= k; r += team.size)
        s.inverse[size_t(k) * s.capacity + r] = s.inverse[size_t(r) * s.capacity + k] = T(0);
    team.sync();
    rank_one_update(team, s, k + 1, T(1) / pivot, s.solution);
    T along = T(0);
    for (int r = team.lane; r <= k; r += team.size) along += s.solution[r] * s.pulls[r];
    along = team.sum(along) / pivot;
    for (int r = team.lane; r <= k; r += team.size) s.direction[r] += along * s.solution[r];
    s.k = k + 1;
    team.sync();
    return true;
}

// Make the d-th active atom inactive; the last active atom takes its position.
template <class T, class Team>
DEVICE void remove_atom(const Team &team, int d, State<T> &s) {
    const int k = s.k, last = k - 1;
    const size_t width = s.capacity;
    for (int c = team.lane; c < k; c += team.size) s.solution[c] = s.inverse[d * width + c];
    team.sync();
    const T scale = T(-1) / s.solution[d], along = s.direction[d] * scale;
    team.sync();  // every lane has read the direction of d
    rank_one_update(team, s, k, scale, s.solution);
    for (int r = team.lane; r < k; r += team.size) s.direction[r] += along * s.solution[r];
    team.sync();
    for (int c = team.lane; c < last; c += team.size) {
        if (c == d) continue;
        s.inverse[d * width + c] = s.inverse[c * width + d] = s.inverse[last * width + c];
    }
    if (team.lane == 0) {
        s.inverse[d * width + d] = s.inverse[last * width + last];
        s.active[d] = s.active[last];
        s.values[d] = s.values[last];
        s.signs[d] = s.signs[last];
        s.pulls[d] = s.pulls[last];
        s.direction[d] = s.direction[last];
    }
    s.k = last;
    team.sync();
}
