/* Loaded beforehand by without_vnni.py. Where a library had cpuid, it has int3 now: the signal's handler asks the CPU and clears
 * what VNNI, AVX-VNNI and, with WITHOUT=avx512, AVX-512 are known by (Intel SDM volume 2A, CPUID, leaf 7). int3 leaves the
 * instruction pointer behind itself, on the nop that fills cpuid's second byte.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static const unsigned EBX_AVX512 = 1u << 16 | 1u << 17 | 1u << 21 | 1u << 28 | 1u << 30 | 1u << 31;
static const unsigned ECX_AVX512 = 1u << 1 | 1u << 6 | 1u << 12 | 1u << 14;
static const unsigned EDX_AVX512 = 1u << 2 | 1u << 3 | 1u << 8 | 1u << 23;
static const unsigned EDX_AMX = 1u << 22 | 1u << 24 | 1u << 25;
static const unsigned ECX_AVX512_VNNI = 1u << 11;
static const unsigned EAX_AVX_VNNI = 1u << 4, EDX_AVX_VNNI_INT = 1u << 4 | 1u << 10; /* subleaf 1 */

static int avx512_too;

static void answer(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
  unsigned leaf = registers[REG_RAX], subleaf = registers[REG_RCX];
  unsigned eax = leaf, ebx = 0, ecx = subleaf, edx = 0;
  __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
  if (leaf == 7 && subleaf == 0) {
    ecx &= ~ECX_AVX512_VNNI;
    edx &= ~EDX_AMX;
    if (avx512_too) {
      ebx &= ~EBX_AVX512;
      ecx &= ~ECX_AVX512;
      edx &= ~EDX_AVX512;
    }
  }
  if (leaf == 7 && subleaf == 1) {
    eax &= ~EAX_AVX_VNNI;
    edx &= ~EDX_AVX_VNNI_INT;
  }
  registers[REG_RAX] = eax, registers[REG_RBX] = ebx, registers[REG_RCX] = ecx, registers[REG_RDX] = edx;
}

__attribute__((constructor)) static void install(void) {
  const char *without = getenv("WITHOUT");
  avx512_too = without && !strcmp(without, "avx512");
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGTRAP, &action, NULL);
}
