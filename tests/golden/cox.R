# R's answers on Cox regression and its relatives, for tests/test_cox_against_r.py.
#   Rscript tests/golden/cox.R tests/golden/cox/cox
# Data are made here, from a seed, with whole times so coarse that most events are tied.
suppressMessages({library(survival); library(cmprsk)})
out <- commandArgs(TRUE)[1]
if (is.na(out)) out <- "tests/golden/cox"
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(20261122)
write17 <- function(table, name) {
  for (column in names(table)) if (is.double(table[[column]])) table[[column]] <- formatC(table[[column]], digits = 17, format = "g", width = 1)
  write.csv(table, file.path(out, name), row.names = FALSE, quote = FALSE)
}

n <- 400
people <- data.frame(
  arm = sample(c("control", "ips", "ips_plus"), n, TRUE), age = round(rnorm(n, 40, 10)), score = round(rnorm(n), 2),
  woman = sample(0:1, n, TRUE), centre = sample(c("north", "south", "west"), n, TRUE), office = sample(1:45, n, TRUE)
)
rate <- exp(0.5 * (people$arm != "control") - 0.02 * (people$age - 40) + 0.2 * people$score + rnorm(45, 0, 0.3)[people$office])
first <- rexp(n, rate / 20); other <- rexp(n, 1 / 60); left <- runif(n, 2, 30)
people$entry <- ifelse(runif(n) < 0.5, 0L, sample(0:8, n, TRUE))
people$time <- pmax(as.integer(ceiling(pmin(first, other, left))), people$entry + 1L)
people$event <- ifelse(pmin(first, other) > left, 0L, ifelse(first < other, 1L, 2L))
people$count <- sample(1:4, n, TRUE)
people$ipw <- round(runif(n, 0.3, 3), 3)
write.csv(people, file.path(out, "data_cox.csv"), row.names = FALSE, quote = FALSE)
people$arm <- factor(people$arm)

tight <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100)
rows <- list()
keep <- function(case, model) {
  found <- summary(model)$coefficients
  robust <- "robust se" %in% colnames(found)
  rows[[length(rows) + 1]] <<- data.frame(
    case = case, name = names(coef(model)), coefficient = unname(coef(model)), estimate = unname(exp(coef(model))),
    std_error = unname(found[, if (robust) "robust se" else "se(coef)"]), p_value = unname(found[, "Pr(>|z|)"]),
    conf_low = unname(summary(model)$conf.int[, "lower .95"]), conf_high = unname(summary(model)$conf.int[, "upper .95"]),
    n = if (is.null(model$weights)) model$n else NA, loglik = model$loglik[2]
  )
  model
}
plain <- Surv(time, event == 1) ~ arm + age + score
late <- Surv(entry, time, event == 1) ~ arm + age + score
replicated <- people[rep(seq_len(n), people$count), ]
for (ties in c("efron", "breslow")) {
  fit <- function(formula, data = people, ...) do.call(coxph, list(formula, data = data, ties = ties, control = tight, ...))
  keep(paste0(ties, "_plain"), fit(plain))
  keep(paste0(ties, "_entry"), fit(late))
  keep(paste0(ties, "_strata"), fit(update(late, . ~ . + strata(centre))))
  keep(paste0(ties, "_frequency"), fit(late, replicated))
  keep(paste0(ties, "_frequency_cluster"), fit(update(late, . ~ . + strata(centre)), replicated, cluster = replicated$office))
  keep(paste0(ties, "_probability"), fit(plain, weights = people$ipw, cluster = seq_len(n)))
  keep(paste0(ties, "_probability_entry"), fit(late, weights = people$ipw, cluster = seq_len(n)))
  keep(paste0(ties, "_cluster"), fit(plain, cluster = people$office))
  keep(paste0(ties, "_cluster_entry"), fit(late, cluster = people$office))
  keep(paste0(ties, "_cluster_all"), fit(update(late, . ~ . + strata(centre)), weights = people$ipw, cluster = people$office))
}
keep("interaction", coxph(Surv(time, event == 1) ~ arm * woman + age:score, people, control = tight))
keep("other_cause", coxph(Surv(time, event == 2) ~ arm + age, people, control = tight))
write17(do.call(rbind, rows), "answers_cox.csv")

# proportional hazards, by term
zph <- list()
for (ties in c("efron", "breslow")) for (transform in c("km", "identity", "log", "rank"))
  for (case in c("plain", "entry", "strata")) {
    formula <- switch(case, plain = plain, entry = late, strata = update(late, . ~ . + strata(centre)))
    found <- cox.zph(coxph(formula, people, ties = ties, control = tight), transform = transform)$table
    zph[[length(zph) + 1]] <- data.frame(ties = ties, transform = transform, case = case, term = rownames(found),
                                         statistic = found[, "chisq"], df = found[, "df"], p_value = found[, "p"])
  }
write17(do.call(rbind, zph), "answers_cox_zph.csv")

# baseline and predicted incidence
curves <- list()
for (ties in c("efron", "breslow")) {
  model <- coxph(late, people, ties = ties, control = tight)
  who <- data.frame(arm = factor("ips", levels(people$arm)), age = 35, score = 0.5)
  found <- survfit(model, newdata = who)
  curves[[length(curves) + 1]] <- data.frame(case = paste0(ties, "_survival"), time = found$time, value = found$surv)
  # R's hazards of every cause, Breslow's or Efron's as the model, put together by R's matrix exponential
  hazards <- sapply(1:2, function(cause) {
    one <- survfit(coxph(Surv(entry, time, event == cause) ~ arm + age + score, people, ties = ties, control = tight), newdata = who)
    diff(c(0, approx(one$time, one$cumhaz, found$time, method = "constant", yleft = 0, rule = 2)$y))
  })
  state <- c(1, 0, 0); incidence <- numeric(0)
  for (k in seq_along(found$time)) {
    rates <- matrix(0, 3, 3); rates[1, ] <- c(-sum(hazards[k, ]), hazards[k, ])
    state <- as.vector(state %*% survival:::survexpm(rates)); incidence[k] <- state[2]
  }
  curves[[length(curves) + 1]] <- data.frame(case = paste0(ties, "_by_cause"), time = found$time, value = incidence)
}
# R's own multi-state model fits Breslow's method only: asked for Efron's it gives Breslow's, without a word
people$id <- seq_len(n)
people$what <- factor(people$event, 0:2, c("censored", "job", "death"))
for (ties in c("efron", "breslow")) {
  both <- coxph(Surv(entry, time, what) ~ arm + age + score, people, id = id, ties = ties, control = tight)
  found <- survfit(both, newdata = who)
  curves[[length(curves) + 1]] <- data.frame(case = paste0(ties, "_multi_state"), time = found$time, value = found$pstate[, 1, 2])
}
write17(do.call(rbind, curves), "answers_cox_curves.csv")

# lifelines predicts with delayed entry as if everybody had been there from the start (its issue 1416)
fit <- coxph(Surv(entry, time, event == 1) ~ age, people, control = tight)
found <- summary(survfit(fit, newdata = data.frame(age = 30)), times = c(2, 5, 9, 14))
without <- summary(survfit(coxph(Surv(time, event == 1) ~ age, people, control = tight), newdata = data.frame(age = 30)), times = c(2, 5, 9, 14))
write17(data.frame(time = found$time, late = found$surv, from_the_start = without$surv), "answers_cox_late.csv")

# Fine and Gray: people in whole months, and the same with censoring after the events of its month
gray <- list()
covariates <- model.matrix(~ arm + age + score, people)[, -1]
broken <- people; broken$time <- ifelse(people$event == 0, people$time + 0.5, people$time)
for (case in c("tied", "broken")) for (cause in 1:2) {
  data <- if (case == "tied") people else broken
  found <- crr(data$time, data$event, covariates, failcode = cause, maxiter = 100, gtol = 1e-12)
  gray[[length(gray) + 1]] <- data.frame(case = paste0("crr_", case), cause = cause, name = names(found$coef), coefficient = unname(found$coef),
                                         std_error = sqrt(diag(found$var)))
  people$what <- factor(people$event, c(0, cause, 3 - cause), c("censored", "event", "other"))
  for (ties in c("efron", "breslow")) {
    long <- finegray(Surv(time, what) ~ arm + age + score + id, people, etype = "event")
    found <- coxph(Surv(fgstart, fgstop, fgstatus) ~ arm + age + score, long, weights = fgwt, ties = ties, control = tight, cluster = id)
    if (case == "tied") gray[[length(gray) + 1]] <- data.frame(case = paste0("finegray_", ties), cause = cause, name = names(coef(found)),
      coefficient = unname(coef(found)), std_error = sqrt(diag(vcov(found))))
  }
}
write17(do.call(rbind, gray), "answers_fine_gray.csv")
write.csv(data.frame(what = c("R", "survival", "cmprsk"), version = c(paste(R.version$major, R.version$minor, sep = "."),
  as.character(packageVersion("survival")), as.character(packageVersion("cmprsk")))), file.path(out, "versions_cox.csv"), row.names = FALSE, quote = FALSE)
