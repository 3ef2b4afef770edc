// One pass of block coordinate descent over the atoms, by one block of threads, because each atom
// depends on those before it.
#include "team.cuh"

// Update the atoms of a dictionary in place, one after another.
template <class T, class Team>
DEVICE void update_atoms(const Team &team, T *dictionary, const T *code_moment,
                         const T *cross_moment, int p, int m, bool positive) {
    for (int j = 0; j < p; j++) {
        const T *moments = code_moment + size_t(j) * p;
        const T weight = moments[j];
        if (!(weight > T(0))) continue;
        T *atom = dictionary + size_t(j) * m, squares = T(0);
        for (int f = team.lane; f < m; f += team.size) {
            T residual = cross_moment[size_t(j) * m + f];
            for (int i = 0; i < p; i++) residual -= moments[i] * dictionary[size_t(i) * m + f];
            T value = atom[f] + residual / weight;
            if (positive) value = larger(value, T(0));
            atom[f] = value;  // each lane reads and writes its own features only
            squares += value * value;
        }
        const T norm = T(sqrt(double(team.sum(squares))));
        if (norm > T(1))
            for (int f = team.lane; f < m; f += team.size) atom[f] /= norm;
    }
}

#ifdef __CUDACC__
template <class T>
__global__ void atom_update(T *dictionary, const T *code_moment, const T *cross_moment, int p,
                            int m, int positive) {
    if (blockIdx.x == 0)
        update_atoms(Block(), dictionary, code_moment, cross_moment, p, m, positive != 0);
}
#endif
