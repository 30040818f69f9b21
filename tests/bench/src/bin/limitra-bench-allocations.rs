//! Counts how often a decision allocates: a program of its own, since its allocator counts.

fn main() {
    limitra_bench::print_allocations(|call| allocation_counter::measure(call).count_total);
}
