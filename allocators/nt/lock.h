/* SPDX-License-Identifier: MIT */
/* Spin locks from Concurrency Kit behind one shape: KIND_init, KIND_lock, KIND_unlock, so that a
 * strategy is compiled once for each kind.
 *
 *     struct pb_lock       the lock itself, on a line of its own
 *     struct pb_lock_slot  what one thread brings (a queue node); lives as long as the lock
 *
 * Kinds: none (no lock: one thread only), fas (fetch-and-store), dec (decrement, as Linux 2.6), ticket
 * (Mellor-Crummey and Scott 1991), mcs (the same paper), clh (Craig 1993; Landin and Hagersten 1994),
 * anderson (Anderson 1990). Source: Concurrency Kit, spinlock/.
 * A lock taken while another thread had it counts as contended, where the kind can tell without a
 * further atomic operation (fas, dec: a first try; ticket, mcs, clh, anderson: not known).
 * ThreadSanitizer does not see into CK's assembly: each lock and unlock is annotated here. */
