// Teams of threads that share one signal, and their reductions.
//
// Code for a team is written once. Each lane takes every size-th entry of a loop. Reductions return
// the same bits on all lanes, so that every branch is taken by all lanes or by none. With a team of
// one thread the same code is a plain C++ function, which is how it is tested without a GPU.
#pragma once

#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#else
#define DEVICE inline
#endif

template <class T>
struct Limits;
template <>
struct Limits<float> {
    static DEVICE float eps() { return 1.1920929e-7f; }
    static DEVICE float smallest_normal() { return 1.17549435e-38f; }
    static DEVICE float max_exponent() { return 79.85f; }  // largest argument of exp, with a margin
};
template <>
struct Limits<double> {
    static DEVICE double eps() { return 2.220446049250313e-16; }
    static DEVICE double smallest_normal() { return 2.2250738585072014e-308; }
    static DEVICE double max_exponent() { return 638.8; }
};

template <class T>
DEVICE T magnitude(T x) {
    return x < T(0) ? -x : x;
}

template <class T>
DEVICE T larger(T a, T b) {
    return a < b ? b : a;
}

template <class T>
DEVICE T smaller(T a, T b) {
    return b < a ? b : a;
}

// A number and its index; -1 for none.
template <class T>
struct Indexed {
    T value;
    int index;
};

// Whether a is preferred to b as the largest: the larger number, then the lower index.
template <class T>
DEVICE bool precedes(Indexed<T> a, Indexed<T> b) {
    if (b.index < 0) return a.index >= 0;
    if (a.index < 0) return false;
    return a.value > b.value || (a.value == b.value && a.index < b.index);
}

// A team of one thread.
struct SingleThread {
    static constexpr int size = 1;
    static constexpr int lane = 0;
    DEVICE void sync() const {}
    template <class T>
    DEVICE T sum(T x) const {
        return x;
    }
    template <class T>
    DEVICE T max(T x) const {
        return x;
    }
    template <class T>
    DEVICE Indexed<T> argmax(Indexed<T> x) const {
        return x;
    }
};

#ifdef __CUDACC__
// A team of the 32 threads of a warp.
struct Warp {
    static constexpr int size = 32;
    const int lane = threadIdx.x % 32;
    DEVICE void sync() const { __syncwarp(); }
    template <class T>
    DEVICE T sum(T x) const {
        // a butterfly adds the same pairs on all lanes, so that all get the same bits
        for (int step = 16; step; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
        return x;
    }
    template <class T>
    DEVICE T max(T x) const {
        for (int step = 16; step; step /= 2)
            x = larger(x, __shfl_xor_sync(0xffffffffu, x, step));
        return x;
    }
    template <class T>
    DEVICE Indexed<T> argmax(Indexed<T> x) const {
        for (int step = 16; step; step /= 2) {
            Indexed<T> other = {__shfl_xor_sync(0xffffffffu, x.value, step),
                               __shfl_xor_sync(0xffffffffu, x.index, step)};
            if (precedes(other, x)) x = other;
        }
        return x;
    }
};

// A team of all threads of a block; their number is a multiple of 32.
struct Block {
    const int size = blockDim.x;
    const int lane = threadIdx.x;
    DEVICE void sync() const { __syncthreads(); }
    template <class T>
    DEVICE T sum(T x) const {
        return reduce(Warp().sum(x), [](T a, T b) { return a + b; });
    }
    template <class T>
    DEVICE T max(T x) const {
        return reduce(Warp().max(x), [](T a, T b) { return larger(a, b); });
    }

   private:
    template <class T, class Join>
    DEVICE T reduce(T mine, Join join) const {
        __shared__ T parts[32];
        if (lane % 32 == 0) parts[lane / 32] = mine;
        __syncthreads();
        T all = parts[0];
        for (int warp = 1; warp < size / 32; warp++) all = join(all, parts[warp]);
        __syncthreads();
        return all;
    }
};
#endif
