/* A PKCS#11 library for tests: a token with SM2, as vendors offer it under numbers of their own, since PKCS#11 has none. Keys
 * live in this process and end with it; the values are made by OpenSSL's libcrypto. In C because this crate forbids unsafe
 * code, which a library of this kind cannot do without. The tests compile it with cc; -DPIN="…" is the user's PIN.
 *
 * | number     | what |
 * |------------|------|
 * | 0x80000010 | CKA_KEY_TYPE of an SM2 key; CKK_EC (3) is taken too |
 * | 0x80000020 | makes a key pair; CKM_EC_KEY_PAIR_GEN (0x1040) is taken too |
 * | 0x80000021 | signs a message, makes Z and digest itself, gives r ‖ s |
 * | 0x80000022 | signs the 32 octets of SM3(Z ‖ message), gives DER |
 *
 * It knows nothing else, takes no data objects, and is as strict as a token: the PIN first, a session that may write for what
 * writes, and one operation at a time. The types are those of PKCS #11 v2.40 where everything is CK_ULONG or a pointer.
 */
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

typedef unsigned long ul;
typedef unsigned char octet;
typedef ul (*any)();

struct attribute { ul type; void *value; ul length; };
struct mechanism { ul type; void *parameter; ul length; };
struct list { octet version[2]; any f[68]; };

enum {
    KEY_TYPE = 0x80000010, EC = 3, GENERATE = 0x80000020, EC_GENERATE = 0x1040, SIGN_MESSAGE = 0x80000021,
    SIGN_DIGEST = 0x80000022
};
#define SLOT 7

/* Return values (v2.40 §2.1.13). */
enum {
    OK = 0, SLOT_ID_INVALID = 0x3, GENERAL_ERROR = 0x5, ATTRIBUTE_TYPE_INVALID = 0x12, DATA_LEN_RANGE = 0x21,
    FUNCTION_NOT_SUPPORTED = 0x54, MECHANISM_INVALID = 0x70, OBJECT_HANDLE_INVALID = 0x82, OPERATION_ACTIVE = 0x90,
    OPERATION_NOT_INITIALIZED = 0x91, PIN_INCORRECT = 0xA0, SESSION_COUNT = 0xB1, SESSION_HANDLE_INVALID = 0xB3,
    SESSION_READ_ONLY = 0xB5, TEMPLATE_INCONSISTENT = 0xD1, USER_ALREADY_LOGGED_IN = 0x100, USER_NOT_LOGGED_IN = 0x101,
    BUFFER_TOO_SMALL = 0x150, NOT_INITIALIZED = 0x190, ALREADY_INITIALIZED = 0x191
};

static const octet PARAMS[] = {0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d};
static const char IDENTITY[] = "1234567812345678";

static struct object {
    int there;
    ul class, type;
    octet label[64], id[64], point[67];
    ul label_length, id_length;
    EVP_PKEY *key;
} objects[64];

static struct session {
    int open, writes, finding, signing;
    ul found[64], count, next, mechanism, key;
} sessions[32];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int ready, user;

#define COUNT(array) (sizeof array / sizeof *array)
#define LOCKED(body)                    \
    do {                                \
        pthread_mutex_lock(&lock);      \
        ul rv = body;                   \
        pthread_mutex_unlock(&lock);    \
        return rv;                      \
    } while (0)

static ul unsupported(void) { return FUNCTION_NOT_SUPPORTED; }

static void text(octet *at, ul size, const char *words) {
    memset(at, ' ', size);
    memcpy(at, words, strlen(words));
}

/* — the library, its slot and its token */

static ul initialize(void *arguments) {
    (void)arguments;
    if (ready) return ALREADY_INITIALIZED;
    ready = 1;
    return OK;
}

static ul finalize(void *reserved) {
    (void)reserved;
    memset(sessions, 0, sizeof sessions);
    ready = user = 0;
    return OK;
}

static ul get_slot_list(octet with_token, ul *slots, ul *count) {
    (void)with_token;
    if (!ready) return NOT_INITIALIZED;
    if (slots && *count < 1) return BUFFER_TOO_SMALL;
    if (slots) slots[0] = SLOT;
    *count = 1;
    return OK;
}

static ul get_slot_info(ul slot, octet *info) {
    if (slot != SLOT) return SLOT_ID_INVALID;
    memset(info, 0, 64 + 32 + sizeof(ul) + 4);
    text(info, 64, "a slot for tests");
    text(info + 64, 32, "nobody");
    *(ul *)(info + 96) = 1; /* CKF_TOKEN_PRESENT */
    return OK;
}

static ul get_token_info(ul slot, octet *info) {
    if (!ready) return NOT_INITIALIZED;
    if (slot != SLOT) return SLOT_ID_INVALID;
    memset(info, 0, 96 + 11 * sizeof(ul) + 4 + 16);
    text(info, 32, "guomi");
    text(info + 32, 32, "nobody");
    text(info + 64, 16, "sm2");
    text(info + 80, 16, "1");
    /* CKF_LOGIN_REQUIRED, CKF_USER_PIN_INITIALIZED, CKF_TOKEN_INITIALIZED */
    *(ul *)(info + 96) = 0x4 | 0x8 | 0x400;
    text(info + 96 + 11 * sizeof(ul) + 4, 16, "");
    return OK;
}

/* — sessions */

static struct session *session_of(ul handle) {
    return ready && handle >= 1 && handle <= COUNT(sessions) && sessions[handle - 1].open ? &sessions[handle - 1] : 0;
}

static ul opened(ul slot, ul flags, ul *handle) {
    if (!ready) return NOT_INITIALIZED;
    if (slot != SLOT) return SLOT_ID_INVALID;
    for (ul i = 0; i < COUNT(sessions); i++) {
        if (sessions[i].open) continue;
        sessions[i] = (struct session){.open = 1, .writes = (flags & 2) != 0};
        *handle = i + 1;
        return OK;
    }
    return SESSION_COUNT;
}

static ul closed(ul handle) {
    struct session *session = session_of(handle);
    if (!session) return SESSION_HANDLE_INVALID;
    session->open = 0;
    for (ul i = 0; i < COUNT(sessions); i++)
        if (sessions[i].open) return OK;
    user = 0;
    return OK;
}

static ul told(ul handle, ul *info) {
    struct session *session = session_of(handle);
    if (!session) return SESSION_HANDLE_INVALID;
    info[0] = SLOT;
    info[1] = (session->writes ? 2 : 0) + (user ? 1 : 0);
    info[2] = 4 | (session->writes ? 2 : 0);
    info[3] = 0;
    return OK;
}

static ul entered(ul handle, ul who, const char *pin, ul length) {
    if (!session_of(handle)) return SESSION_HANDLE_INVALID;
    if (user) return USER_ALREADY_LOGGED_IN;
    if (who != 1 || length != strlen(PIN) || memcmp(pin, PIN, length)) return PIN_INCORRECT;
    user = 1;
    return OK;
}

static ul open_session(ul slot, ul flags, void *a, void *b, ul *session) { (void)a; (void)b; LOCKED(opened(slot, flags, session)); }
static ul close_session(ul session) { LOCKED(closed(session)); }
static ul get_session_info(ul session, ul *info) { LOCKED(told(session, info)); }
static ul login(ul session, ul who, const char *pin, ul length) { LOCKED(entered(session, who, pin, length)); }

/* — objects */

static struct object *object_of(ul handle) {
    int is = handle >= 1 && handle <= COUNT(objects) && objects[handle - 1].there;
    /* A private key is not there for whoever has not entered. */
    return is && (user || objects[handle - 1].class != 3) ? &objects[handle - 1] : 0;
}

/* The value of an attribute; its length, or -1 where the object has none. */
static long attribute_of(struct object *object, ul type, const void **value) {
    static const octet yes = 1, no = 0;
    int private = object->class == 3;
    *value = &no;
    switch (type) {
    case 0x000: *value = &object->class; return sizeof(ul);
    case 0x001: *value = &yes; return 1;                       /* CKA_TOKEN */
    case 0x002: *value = private ? &yes : &no; return 1;       /* CKA_PRIVATE */
    case 0x003: *value = object->label; return object->label_length;
    case 0x100: *value = &object->type; return sizeof(ul);
    case 0x102: *value = object->id; return object->id_length;
    case 0x103: *value = &yes; return private ? 1 : -1;        /* CKA_SENSITIVE */
    case 0x162: return private ? 1 : -1;                       /* CKA_EXTRACTABLE */
    case 0x180: *value = PARAMS; return sizeof PARAMS;
    case 0x181: *value = object->point; return private ? -1 : (long)sizeof object->point;
    default: return -1;
    }
}

static ul read_attributes(ul handle, ul of, struct attribute *wanted, ul count) {
    if (!session_of(handle)) return SESSION_HANDLE_INVALID;
    struct object *object = object_of(of);
    if (!object) return OBJECT_HANDLE_INVALID;
    ul rv = OK;
    for (ul i = 0; i < count; i++) {
        const void *value;
        long length = attribute_of(object, wanted[i].type, &value);
        if (length < 0) { wanted[i].length = -1; rv = ATTRIBUTE_TYPE_INVALID; continue; }
        if (wanted[i].value) {
            if (wanted[i].length < (ul)length) { wanted[i].length = -1; rv = BUFFER_TOO_SMALL; continue; }
            memcpy(wanted[i].value, value, length);
        }
        wanted[i].length = length;
    }
    return rv;
}

static ul find_begins(ul handle, struct attribute *template, ul count) {
    struct session *session = session_of(handle);
    if (!session) return SESSION_HANDLE_INVALID;
    if (session->finding) return OPERATION_ACTIVE;
    session->finding = 1;
    session->count = session->next = 0;
    for (ul i = 1; i <= COUNT(objects); i++) {
        struct object *object = object_of(i);
        int fits = object != 0;
        for (ul j = 0; fits && j < count; j++) {
            const void *value;
            long length = attribute_of(object, template[j].type, &value);
            fits = length >= 0 && (ul)length == template[j].length && !memcmp(value, template[j].value, length);
        }
        if (fits) session->found[session->count++] = i;
    }
    return OK;
}

static ul find_goes_on(ul handle, ul *found, ul most, ul *count) {
    struct session *session = session_of(handle);
    if (!session) return SESSION_HANDLE_INVALID;
    if (!session->finding) return OPERATION_NOT_INITIALIZED;
    for (*count = 0; *count < most && session->next < session->count; ++*count) found[*count] = session->found[session->next++];
    return OK;
}

static ul find_ends(ul handle) {
    struct session *session = session_of(handle);
    if (!session) return SESSION_HANDLE_INVALID;
    session->finding = 0;
    return OK;
}

static ul destroyed(ul handle, ul of) {
    struct session *session = session_of(handle);
    struct object *object = object_of(of);
    if (!session) return SESSION_HANDLE_INVALID;
    if (!object) return OBJECT_HANDLE_INVALID;
    if (!session->writes) return SESSION_READ_ONLY;
    EVP_PKEY_free(object->key);
    memset(object, 0, sizeof *object);
    return OK;
}

static ul get_attribute_value(ul s, ul o, struct attribute *a, ul n) { LOCKED(read_attributes(s, o, a, n)); }
static ul find_objects_init(ul s, struct attribute *a, ul n) { LOCKED(find_begins(s, a, n)); }
static ul find_objects(ul s, ul *found, ul most, ul *count) { LOCKED(find_goes_on(s, found, most, count)); }
static ul find_objects_final(ul s) { LOCKED(find_ends(s)); }
static ul destroy_object(ul s, ul o) { LOCKED(destroyed(s, o)); }

/* — keys */

/* Takes over what a template says; 0 where it asks for what this token does not make. */
static int from_template(struct object *object, struct attribute *template, ul count) {
    for (ul i = 0; i < count; i++) {
        struct attribute *a = &template[i];
        int flag = a->length == 1 ? *(octet *)a->value : -1;
        switch (a->type) {
        case 0x000: if (*(ul *)a->value != object->class) return 0; break;
        case 0x001: if (flag != 1) return 0; break;
        case 0x003: if (a->length > sizeof object->label) return 0;
                    memcpy(object->label, a->value, object->label_length = a->length); break;
        case 0x100: object->type = *(ul *)a->value;
                    if (object->type != KEY_TYPE && object->type != EC) return 0;
                    break;
        case 0x102: if (a->length > sizeof object->id) return 0;
                    memcpy(object->id, a->value, object->id_length = a->length); break;
        case 0x103: if (flag != 1) return 0; break;
        case 0x162: if (flag != 0) return 0; break;
        case 0x180: if (a->length != sizeof PARAMS || memcmp(a->value, PARAMS, sizeof PARAMS)) return 0; break;
        }
    }
    return object->type != 0;
}

static ul made(ul handle, struct mechanism *by, struct attribute *a, ul n, struct attribute *b, ul m, ul *public, ul *private) {
    struct session *session = session_of(handle);
    if (!session) return SESSION_HANDLE_INVALID;
    if (by->type != GENERATE && by->type != EC_GENERATE) return MECHANISM_INVALID;
    if (!user) return USER_NOT_LOGGED_IN;
    if (!session->writes) return SESSION_READ_ONLY;
    struct object pair[2] = {{.there = 1, .class = 2}, {.there = 1, .class = 3}};
    if (!from_template(&pair[0], a, n) || !from_template(&pair[1], b, m)) return TEMPLATE_INCONSISTENT;
    ul places[2], found = 0;
    for (ul i = 0; i < COUNT(objects) && found < 2; i++)
        if (!objects[i].there) places[found++] = i;
    EVP_PKEY *key = found == 2 ? EVP_PKEY_Q_keygen(0, 0, "SM2") : 0;
    size_t length = 0;
    if (!key || !EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, pair[0].point + 2, 65, &length) || length != 65)
        return GENERAL_ERROR;
    pair[0].point[0] = 4; /* OCTET STRING */
    pair[0].point[1] = 65;
    pair[1].key = key;
    for (int i = 0; i < 2; i++) objects[places[i]] = pair[i];
    *public = places[0] + 1;
    *private = places[1] + 1;
    return OK;
}

static ul sign_begins(ul handle, struct mechanism *by, ul of) {
    struct session *session = session_of(handle);
    struct object *object = object_of(of);
    if (!session) return SESSION_HANDLE_INVALID;
    if (!object || !object->key) return OBJECT_HANDLE_INVALID;
    if (by->type != SIGN_MESSAGE && by->type != SIGN_DIGEST) return MECHANISM_INVALID;
    if (session->signing) return OPERATION_ACTIVE;
    session->signing = 1;
    session->mechanism = by->type;
    session->key = of;
    return OK;
}

static int over_message(EVP_PKEY *key, const octet *message, ul size, octet *der, size_t *length) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *with = EVP_PKEY_CTX_new(key, 0);
    EVP_MD_CTX_set_pkey_ctx(context, with);
    int right = EVP_PKEY_CTX_set1_id(with, IDENTITY, strlen(IDENTITY)) > 0
        && EVP_DigestSignInit(context, 0, EVP_sm3(), 0, key) > 0 && EVP_DigestSign(context, der, length, message, size) > 0;
    EVP_MD_CTX_free(context);
    EVP_PKEY_CTX_free(with);
    return right;
}

static int over_digest(EVP_PKEY *key, const octet *digest, octet *der, size_t *length) {
    EVP_PKEY_CTX *with = EVP_PKEY_CTX_new(key, 0);
    int right = EVP_PKEY_sign_init(with) > 0 && EVP_PKEY_sign(with, der, length, digest, 32) > 0;
    EVP_PKEY_CTX_free(with);
    return right;
}

static ul sign_ends(ul handle, const octet *data, ul size, octet *value, ul *length) {
    struct session *session = session_of(handle);
    if (!session) return SESSION_HANDLE_INVALID;
    if (!session->signing) return OPERATION_NOT_INITIALIZED;
    int whole = session->mechanism == SIGN_MESSAGE;
    ul most = whole ? 64 : 72;
    if (!value || *length < most) { *length = most; return value ? BUFFER_TOO_SMALL : OK; }
    session->signing = 0;
    struct object *object = object_of(session->key);
    if (!object) return OBJECT_HANDLE_INVALID;
    if (!whole && size != 32) return DATA_LEN_RANGE;
    octet der[80];
    size_t made = sizeof der;
    if (!(whole ? over_message(object->key, data, size, der, &made) : over_digest(object->key, data, der, &made)))
        return GENERAL_ERROR;
    if (whole) {
        const octet *at = der;
        ECDSA_SIG *numbers = d2i_ECDSA_SIG(0, &at, made);
        if (!numbers) return GENERAL_ERROR;
        BN_bn2binpad(ECDSA_SIG_get0_r(numbers), value, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(numbers), value + 32, 32);
        ECDSA_SIG_free(numbers);
        made = 64;
    } else {
        memcpy(value, der, made);
    }
    *length = made;
    return OK;
}

static ul generate_key_pair(ul s, struct mechanism *by, struct attribute *a, ul n, struct attribute *b, ul m, ul *x, ul *y) {
    LOCKED(made(s, by, a, n, b, m, x, y));
}
static ul sign_init(ul s, struct mechanism *by, ul key) { LOCKED(sign_begins(s, by, key)); }
static ul sign(ul s, const octet *data, ul size, octet *value, ul *length) { LOCKED(sign_ends(s, data, size, value, length)); }

ul C_GetFunctionList(struct list **list) {
    /* Places in the function list (v2.40 §3.6). */
    static struct list ours = {{2, 40}, {0}};
    for (ul i = 0; i < COUNT(ours.f); i++) ours.f[i] = (any)unsupported;
    ours.f[0] = (any)initialize;
    ours.f[1] = (any)finalize;
    ours.f[3] = (any)C_GetFunctionList;
    ours.f[4] = (any)get_slot_list;
    ours.f[5] = (any)get_slot_info;
    ours.f[6] = (any)get_token_info;
    ours.f[12] = (any)open_session;
    ours.f[13] = (any)close_session;
    ours.f[15] = (any)get_session_info;
    ours.f[18] = (any)login;
    ours.f[22] = (any)destroy_object;
    ours.f[24] = (any)get_attribute_value;
    ours.f[26] = (any)find_objects_init;
    ours.f[27] = (any)find_objects;
    ours.f[28] = (any)find_objects_final;
    ours.f[42] = (any)sign_init;
    ours.f[43] = (any)sign;
    ours.f[59] = (any)generate_key_pair;
    *list = &ours;
    return OK;
}
